"""Converts Arrow columns to polars one by one, so that a type that polars does not support affects only its column."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError, OverflowError)
_MAX_TYPE = 80


@dataclass(frozen=True)
class RawBatch:
    """The columns of a file, and the columns that could not be converted, with their Arrow type.

    `written` has another copy of columns of text. A value that was no text in the file, such as 2.5, and has no text
    form as a label, is null there. `decimal_commas` is True if a comma in the text of a number is the decimal sign.
    """

    frame: pl.DataFrame
    unsupported: dict[str, str] = field(default_factory=dict)
    written: dict[str, pl.Series] = field(default_factory=dict)
    decimal_commas: bool = False


def from_arrow(table: pa.Table) -> RawBatch:
    """Convert a table whose columns have different names."""
    columns: dict[str, pl.Series] = {}
    unsupported: dict[str, str] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns[name] = _series(name, column)
        except _ERRORS:
            unsupported[name] = str(column.type)[:_MAX_TYPE]
    if not columns and table.num_rows:
        columns = {
            "": pl.Series("", [None] * table.num_rows)
        }  # the number of rows of a file that has only such columns
    return RawBatch(pl.DataFrame(columns), unsupported)


def _series(name: str, column: pa.ChunkedArray) -> pl.Series:
    converted = pl.from_arrow(_supported(column))
    if not isinstance(converted, pl.Series):  # a struct
        raise pl.exceptions.InvalidOperationError(str(column.type))
    return converted.alias(name)


def _supported(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column in a type that polars supports, if there is one with the same values."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp(kind.unit, "UTC"))  # the same times, because polars lacks zones such as +05:30
    if pa.types.is_decimal256(kind):
        return column.cast(pa.decimal128(38, kind.scale))
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], kind.value_type)
    return column
