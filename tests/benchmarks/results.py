"""Print the figures as a table. `make bench RECORD=1` also appends them to `results/<table>.jsonl`, one line per row.

Those files are tracked, and README's table is generated from them (`readme.py`). A run that does not record changes no
tracked file.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
RECORD = "BENCH_RECORD"


@dataclass(frozen=True)
class Row:
    """A figure of Rondo and the peer's of the same run. `peer` is None if it can't run. `ratio` is ours to the peer's.

    `ours` is None if there is nothing to measure, and `goal` says why.
    """

    table: str
    row: str
    ours: float | None
    peer: float | None
    unit: str
    goal: str
    met: bool
    versions: dict[str, str]
    ratio: float | None = None
    machine: str = field(default_factory=lambda: f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions, including that of Python."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def record(rows: list[Row]) -> int:
    """Print the rows. Append them to their table if the run records. Return the exit code: 0 if every goal is met."""
    for row in rows:
        ratio = f"{row.ratio:.2f} of {_shown(row.peer)}" if row.ratio is not None and row.peer is not None else ""
        mark = "met   " if row.met else "MISSED"
        sys.stdout.write(f"{mark}  {row.row:<52} {_shown(row.ours):>12} {row.unit:<6} {ratio:<22} goal: {row.goal}\n")
    if os.environ.get(RECORD):
        _append(rows)
    return 0 if all(row.met for row in rows) else 1


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4f}"


def _append(rows: list[Row]) -> None:
    RESULTS.mkdir(exist_ok=True)
    for row in rows:
        with (RESULTS / f"{row.table}.jsonl").open("a") as lines:
            lines.write(json.dumps(asdict(row)) + "\n")


def newest(table: str) -> dict[str, dict[str, Any]]:
    """Return the newest recorded line of each row of a table. Empty if it was never recorded."""
    file = RESULTS / f"{table}.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {line["row"]: line for line in found}
