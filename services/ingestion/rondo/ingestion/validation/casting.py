"""Converts a column to the type of the contract without loss, or explains why it can't be converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.batch_files.values import COMMA_NUMBER, NO, NOT_FINITE, YES
from rondo.contracts.tasks.label_values import NUMBER
from rondo.ingestion.validation.labels import BLANKS, is_text, label_column
from rondo.ingestion.validation.shorten import excerpt
from rondo.ingestion.validation.times import TIME, is_date, time, time_type_problem, written_dates

if TYPE_CHECKING:
    from rondo.ingestion.validation.contract import Column, Kind

_STORED: dict[Kind, pl.DataType] = {
    "entity": pl.String(),
    "time": TIME,
    "category": pl.String(),
    "float": pl.Float64(),
    "int": pl.Int64(),
    "bool": pl.Boolean(),
}
_VERBATIM: frozenset[Kind] = frozenset(("entity", "category"))  # blanks are part of the value
_NOT = {"float": "not a number", "int": "not a whole number", "bool": "not true or false"}
_NUMBER = f"^{NUMBER}$|{NOT_FINITE}"
_INT_LIMIT = 2.0**63


def stored(column: Column) -> pl.DataType:
    """Return the polars type in which a column is published."""
    return label_column(column.labels).stored if column.kind == "label" else _STORED[column.kind]


def type_problem(column: Column, dtype: pl.DataType) -> str | None:
    """Return the reason why no value of this type can be converted to the contract's type. None if some may be."""
    if dtype == pl.Null or is_text(dtype):
        return None
    if column.kind == "time":
        return time_type_problem(column, dtype)
    numeric, boolean = dtype.is_numeric(), dtype == pl.Boolean
    fits = {
        "entity": dtype.is_integer(),
        "category": dtype.is_integer() or boolean or is_date(dtype),
        "label": label_column(column.labels).fits(dtype),
    }.get(column.kind, numeric or boolean)
    return None if fits else wrong_type(column, str(dtype))


def wrong_type(column: Column, dtype: str) -> str:
    return (
        f"column {column.name!r} is {excerpt(dtype)}, and the contract says {column.expected}: send it with that type"
    )


def needs_no_text(column: Column) -> bool:
    """Return whether a column of text is the wrong type for values that are numbers, or true and false."""
    return column.kind in _NOT or (column.kind == "label" and not label_column(column.labels).are_texts)


def without_missing(column: Column, dtype: pl.DataType, *, decimal_commas: bool = False) -> pl.Expr:
    """Return the column with null for each missing value. An empty text is missing, like a CSV cell without quotes.

    With `decimal_commas` the comma of a number is replaced by a point.
    """
    found = pl.col(column.name)
    if not is_text(dtype):
        return found
    text = found.cast(pl.String)
    text = text if column.kind in _VERBATIM else text.str.strip_chars(BLANKS)
    if decimal_commas and needs_no_text(column):
        text = text.str.replace(COMMA_NUMBER, "${1}.${2}")
    return pl.when(text != "").then(text).alias(column.name)


def cast(column: Column, dtype: pl.DataType, values: pl.Expr) -> pl.Expr:
    """Return values of `without_missing` in the type of the column. Null for a value that can't be converted.

    `dtype` is the type in the file. Any kind of text counts as text.
    """
    if dtype == pl.Null:
        return values.cast(stored(column))
    if column.kind == "time":
        return time(values, dtype, column.zone)
    if column.kind in _VERBATIM:
        return written_dates(values, dtype) if is_date(dtype) else values.cast(pl.String)
    if column.kind == "label":
        return label_column(column.labels).cast(values, dtype)
    convert = {"bool": _boolean, "int": _whole}.get(column.kind, _number)
    return convert(values, dtype)


def not_converted(column: Column) -> str:
    """Return the quarantine reason of a value that `cast` could not convert."""
    problem = f"not {column.expected}" if column.kind == "label" else _NOT.get(column.kind, f"not {column.kind}")
    return f"{column.name}: {problem}"


def _boolean(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Boolean:
        return values
    words = values.str.to_lowercase() if is_text(dtype) else values.cast(pl.Float64)
    yes, no = (YES, NO) if is_text(dtype) else ((1.0,), (0.0,))
    return pl.when(words.is_in(yes)).then(statement=True).when(words.is_in(no)).then(statement=False)


def _whole(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_integer() or dtype == pl.Boolean:
        return values.cast(pl.Int64, strict=False)
    if is_text(dtype):
        return pl.coalesce(values.cast(pl.Int64, strict=False), _floor(_number(values, dtype)))
    return _floor(values.cast(pl.Float64))


def _number(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if is_text(dtype):
        values = pl.when(values.str.contains(_NUMBER)).then(values)
    return values.cast(pl.Float64, strict=False)


def _floor(number: pl.Expr) -> pl.Expr:
    fits = number.is_finite() & (number == number.floor()) & (number.abs() < _INT_LIMIT)
    return pl.when(fits).then(number).cast(pl.Int64, strict=False)
