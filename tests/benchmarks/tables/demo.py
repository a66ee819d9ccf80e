"""`make bench ONLY=demo`: what `make demo` reports of one run, as rows.

The demo runs as anyone runs it, in a folder of its own. Its figures are those of its report, counted from the topics.
AUC with the loop is ours, and that of the model that is never retrained its peer, both on the same answers. The seconds
are those of the whole command and warm: what it fetches on a bare machine is there.

The mean AUC from May to October has the goals that `policies` has in a simulation: here the services themselves decide
when to train, and on which rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from tests.benchmarks.results import Row, record, versions

ROOT = Path(__file__).resolve().parents[3]
WARM_SECONDS, TURN_SECONDS, REDEPLOYMENTS = 97, 1, 3
MONTHS = tuple(map(str, range(5, 11)))
MEAN_AUC = 0.731
# Monthly training on all past, in a simulation: its mean, and its new versions in the year.
MONTHLY_AUC, MONTHLY_VERSIONS = 0.727, 9


def play(folder: Path, *options: str) -> tuple[float, int, dict[str, Any]]:
    """Run the demo. Return its seconds, its exit code and its report.

    Exit with its output if there is no report.
    """
    command = [str(Path(sys.executable).parent / "rondo"), "demo", "--report-to", str(folder), *options]
    # Variables of this shell for Rondo or the demo are removed, because the figures are those of a year at the default
    # speed.
    environment = {name: value for name, value in os.environ.items() if name != "SPEED" and name[:6] != "RONDO_"}
    began = time.perf_counter()
    ran = subprocess.run(  # noqa: S603
        command,
        env=environment | {"RONDO_HOME": str(folder / "home")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    took, report = time.perf_counter() - began, folder / "report.json"
    if not report.exists():
        sys.exit(
            f"the demo ended with {ran.returncode} and has no report:\n{ran.stdout[-2_000:]}\n{ran.stderr[-2_000:]}"
        )
    return took, ran.returncode, json.loads(report.read_text())


def table(took: float, exit_code: int, report: dict[str, Any]) -> list[Row]:
    """Return the rows of a run."""
    used = versions("faststream", "confluent-kafka", "asyncpg", "onnxruntime", "lightgbm", "deltalake")

    def row(name: str, ours: float, unit: str, goal: str, *, met: bool = True, peer: float | None = None) -> Row:
        ratio = ours / peer if peer else None
        return Row("demo", name, ours, peer, unit, goal, met=met, versions=used, ratio=ratio)

    lost, doubled = len(report["lost"]), len(report["doubled"])
    turns = [turn for turn in report["retrains"] if turn["seconds_with_training"] is not None]
    whole = [turn["seconds_with_training"] for turn in turns]
    alone = [turn["seconds_without_training"] for turn in turns if turn["seconds_without_training"] is not None]
    rows = [
        row("exit code", exit_code, "", "0", met=exit_code == 0),
        row("a year of flights, from the command to its end, warm", took, "s", f"{WARM_SECONDS} s",
            met=took <= WARM_SECONDS),
        row("requests", report["requests"], "", "shown"),
        row("requests lost", lost, "", "0", met=not lost),
        row("requests answered twice", doubled, "", "0", met=not doubled),
        row("automatic redeployments", len(turns), "", "3", met=len(turns) >= REDEPLOYMENTS),
    ]  # fmt: skip
    if alone:
        rows += [
            row("from the event to the first prediction, fastest", min(whole), "s", "shown"),
            row("from the event to the first prediction, slowest", max(whole), "s", "shown"),
            row("the same, training aside, fastest", min(alone), "s", "shown"),
            row("the same, training aside, slowest", max(alone), "s", "1 s", met=max(alone) <= TURN_SECONDS),
        ]
    without = report["without_loop"]
    if report["with_loop"].keys() >= set(MONTHS):
        auc, never = (mean(found[month] for month in MONTHS) for found in (report["with_loop"], without))
        few = auc >= MONTHLY_AUC and len(turns) <= MONTHLY_VERSIONS
        rows += [
            row("mean AUC from May to October, never retrained beside", auc, "", f"{MEAN_AUC}",
                met=auc >= MEAN_AUC, peer=never),
            row(f"the same with at most {MONTHLY_VERSIONS} redeployments, as monthly; redeployments beside", auc, "",
                f"{MONTHLY_AUC}", met=few, peer=float(len(turns))),
        ]  # fmt: skip
    return rows + [
        row(f"AUC of month {month}, never retrained beside", auc, "", "shown", peer=without.get(month))
        for month, auc in report["with_loop"].items()
    ]


def main() -> int:
    """Run the demo and record what it reports."""
    with tempfile.TemporaryDirectory(prefix="rondo-bench-") as folder:
        return record(table(*play(Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
