"""Files to propose specs for, and the proposals."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.checks import checks_of
from rondo.client.spec_proposal.files import SourceFile
from rondo.client.spec_proposal.proposal import Proposal, Wishes, propose
from rondo.client.spec_proposal.roles import Chosen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 60
Columns = dict[str, list[Any]]


def each(value: Callable[[int], Any], rows: int = ROWS) -> list[Any]:
    return [value(number) for number in range(rows)]


def hours(rows: int = ROWS) -> list[str]:
    return each(lambda number: f"{START + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}", rows)


def columns(rows: int = ROWS, **more: list[Any]) -> Columns:
    """Return the columns of a plain binary file: an id, a time, a number and a label, and `more` before the label."""
    draw = random.Random(7)
    found: Columns = {"order_id": each(lambda number: f"o{number}", rows), "placed_at": hours(rows)}
    found |= {"amount": each(lambda _: round(draw.uniform(1, 90), 2), rows)} | more
    return found | {"label": found.pop("label", each(lambda number: int(number % 3 == 0), rows))}


def write_csv(path: Path, found: Columns, delimiter: str = ",") -> Path:
    """Write all values as texts. None is an empty cell."""
    texts = {name: [None if v is None else str(v) for v in values] for name, values in found.items()}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in texts.items()})
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(delimiter=delimiter))
    return path


def in_csv(tmp_path: Path, found: Columns) -> SourceFile:
    return files.read(write_csv(tmp_path / "orders.csv", found))


def typed(found: Columns) -> SourceFile:
    """Return the file as if it was Parquet: Arrow chooses the types."""
    return SourceFile("orders.parquet", pa.table(found), keeps_types=True)


def proposed(file: SourceFile, task: str | None = None, **chosen: str) -> Proposal:
    return propose(file, "orders", Wishes(Chosen(**chosen), task), NOW)


def reasons(proposal: Proposal) -> dict[str, str]:
    return {column.name: column.reason for column in proposal.left_out}


def checks(proposal: Proposal, about: str) -> str:
    return "\n".join(check.text for check in checks_of(proposal, NOW) if check.about == about)
