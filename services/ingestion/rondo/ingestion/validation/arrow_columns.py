"""Converts Arrow columns to polars one by one, so that a type that polars does not support affects only its column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError, OverflowError)
_MAX_TYPE = 80


@dataclass(frozen=True)
class RawBatch:
    """The columns of a file, and those that could not be converted with their Arrow type.

    `written` has columns of text once more, with null for each value that was no text in the file and is not written as
    one either, such as 2.5.
    """

    frame: pl.DataFrame
    unsupported: dict[str, str] = field(default_factory=dict)
    written: dict[str, pl.Series] = field(default_factory=dict)


def from_arrow(table: pa.Table) -> RawBatch:
    """Convert a table whose columns have different names."""
    columns: list[pl.Series] = []
    unsupported: dict[str, str] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(_series(name, column))
        except _ERRORS:
            unsupported[name] = str(column.type)[:_MAX_TYPE]
    if not columns and table.num_rows:
        columns = [pl.Series("", [None] * table.num_rows)]  # the number of rows of a file that has only such columns
    return RawBatch(pl.DataFrame(columns), unsupported)


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [name for name, count in seen.items() if count > 1]


def _series(name: str, column: pa.ChunkedArray) -> pl.Series:
    converted = pl.from_arrow(_supported(column))
    if not isinstance(converted, pl.Series):  # a struct
        raise pl.exceptions.InvalidOperationError(str(column.type))
    return converted.alias(name)


def _supported(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column in a type that polars has, where there is one with the same values."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp(kind.unit, "UTC"))  # the same moments; polars has no zones such as +05:30
    if pa.types.is_decimal256(kind):
        return column.cast(pa.decimal128(38, kind.scale))
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], kind.value_type)
    return column
