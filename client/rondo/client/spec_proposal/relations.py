"""Dependences between columns: copies of the label, and rows with the same key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.client.spec_proposal.files import SourceFile

# With fewer rows two columns may agree by chance.
_FEWEST = 20
# The mean number of rows per value that makes "one label for each value" meaningful.
_ROWS_A_VALUE = 10


@dataclass(frozen=True)
class LabelRelations:
    """The dependences of the label on other columns.

    `copies` are the columns that reveal the label, each with the way in which it does. A `deciding` column has few
    values, and only one label for each.
    """

    copies: dict[str, str]
    deciding: frozenset[str]


def label_relations(file: SourceFile, label: str, others: Iterable[str]) -> LabelRelations:
    """Compare columns with the label, in the rows that have a label."""
    known = file.table.filter(pc.is_valid(file.table[label]))
    labels = known[label]
    distinct = _distinct(labels)
    copies: dict[str, str] = {}
    deciding: set[str] = set()
    for name in others:
        values = _distinct(known[name])
        if how := _copy(labels, distinct, known[name], values):
            copies[name] = how
        elif min(values, distinct) > 1 and values <= known.num_rows / _ROWS_A_VALUE:
            deciding |= {name} if _pairs(labels, known[name]) == values else set()
    return LabelRelations(copies, frozenset(deciding))


def repeated_keys(file: SourceFile, *key: str) -> int:
    """Return the number of rows with the key of an earlier row."""
    columns = [_comparable(file.table[name]) for name in key]
    keys = pa.table(columns, [f"{number}" for number in range(len(key))])
    complete = keys.drop_null()
    return int(complete.num_rows - complete.group_by(keys.column_names).aggregate([]).num_rows)


def _copy(label: pa.ChunkedArray, labels: int, other: pa.ChunkedArray, others: int) -> str:
    """Return the way in which a column copies the label, "" if it does not.

    `labels` and `others` count distinct values.
    """
    if labels != others:
        return ""
    if label.cast(pa.string()).equals(_comparable(other).cast(pa.string())):
        return "is identical with the label"
    if len(label) < _FEWEST:
        return ""
    # Columns in which most values occur once are always one-to-one with each other, so their order must agree, too.
    one_to_one = _pairs(label, other) == labels if labels <= len(label) / 2 else _same_order(label, other)
    return "is one-to-one with the label" if one_to_one else ""


def _same_order(label: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    numbers, others = _numbers(label), _numbers(other)
    if numbers is None or others is None or numbers.null_count or others.null_count:
        return False
    ranks, rising, falling = _ranks(numbers, "ascending"), _ranks(others, "ascending"), _ranks(others, "descending")
    return bool(ranks.equals(rising) or ranks.equals(falling))


def _ranks(numbers: pa.ChunkedArray, order: str) -> pa.Array:
    return pc.rank(numbers, sort_keys=order, tiebreaker="dense")


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    try:
        return column.cast(pa.float64(), safe=False)
    except pa.ArrowException:  # texts, or a type that does not convert to numbers
        return None


def _can_be_compared(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return bool(pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_decimal(kind))


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if _can_be_compared(column) else pa.chunked_array([pa.nulls(len(column), pa.string())])


def _distinct(column: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(_comparable(column), mode="all").as_py())


def _pairs(label: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    return int(pa.table([label, _comparable(other)], ["l", "o"]).group_by(["l", "o"]).aggregate([]).num_rows)
