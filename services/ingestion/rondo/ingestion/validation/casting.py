"""Brings a column to the type of the contract without loss, or says why it can't be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rondo.ingestion.validation.report_limits import cut

if TYPE_CHECKING:
    from rondo.ingestion.validation.contract import Kind

TIME = pl.Datetime("us", "UTC")
TARGET: dict[Kind, pl.DataType] = {
    "entity": pl.String(),
    "time": TIME,
    "label": pl.Float64(),
    "category": pl.String(),
    "float": pl.Float64(),
    "int": pl.Int64(),
    "bool": pl.Boolean(),
}
_TEXT = (pl.String, pl.Categorical, pl.Enum)
_NOT = {"label": "not 0 or 1", "float": "not a number", "int": "not a whole number", "bool": "not true or false"}
_RFC3339 = "%Y-%m-%dT%H:%M:%S%.f%:z"
_NO_ZONE = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$"
_INT_LIMIT = 2.0**63


def is_text(dtype: pl.DataType) -> bool:
    """Say whether values of the type are text."""
    return isinstance(dtype, _TEXT)


def mistyped(name: str, dtype: pl.DataType, kind: Kind) -> str | None:
    """Return why no value of a column with this type can be brought to the contract's; None where they may."""
    if dtype == pl.Null or is_text(dtype):
        return None
    if kind == "time":
        return _mistyped_time(name, dtype)
    numeric, boolean = dtype.is_numeric(), dtype == pl.Boolean
    fits = {
        "entity": dtype.is_integer(),
        "category": dtype.is_integer() or boolean,
    }.get(kind, numeric or boolean)
    if fits:
        return None
    return f"column {name!r} is {cut(str(dtype))}, and the contract says {wanted(kind)}: send it with that type"


def wanted(kind: Kind) -> str:
    """Return what a column of this kind is to hold."""
    return {"entity": "text or whole numbers", "category": "text", "label": "0 or 1"}.get(kind, kind)


def is_text_for_number(dtype: pl.DataType, kind: Kind) -> bool:
    """Say whether values that the contract wants as numbers, or as true and false, come as text."""
    return is_text(dtype) and kind in _NOT


def _mistyped_time(name: str, dtype: pl.DataType) -> str | None:
    if not isinstance(dtype, pl.Datetime):
        return f"column {name!r} is {cut(str(dtype))}, not a time: send times with a zone, such as 2013-01-01T10:00:00Z"
    if dtype.time_zone is None:
        return (
            f"column {name!r} is a time without a zone, so nobody can tell which moment is meant: "
            "send UTC, such as 2013-01-01T10:00:00Z, or a column type with a zone"
        )
    return None


def cast(name: str, dtype: pl.DataType, kind: Kind) -> pl.Expr:
    """Return the column in its target type; null where a value could not be brought there."""
    column = pl.col(name)
    if dtype == pl.Null:
        return column.cast(TARGET[kind])
    if kind == "time":
        return _time(column) if is_text(dtype) else column.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    if kind in ("entity", "category"):
        return column.cast(pl.String)
    if kind == "bool":
        return _boolean(column, dtype)
    if kind == "int":
        return _whole(column, dtype)
    number = column.cast(pl.String).str.strip_chars() if is_text(dtype) else column
    number = number.cast(pl.Float64, strict=False)
    return pl.when(number.is_in([0.0, 1.0])).then(number) if kind == "label" else number


def lost(name: str, kind: Kind) -> str:
    """Return what is wrong with a value that `cast` could not bring over."""
    return f"{name}: {_NOT.get(kind, 'not ' + kind)}"


def without_zone(name: str) -> pl.Expr:
    """Return where a text is a time without a zone."""
    return pl.col(name).cast(pl.String).str.contains(_NO_ZONE)


def _time(column: pl.Expr) -> pl.Expr:
    text = column.cast(pl.String).str.strip_chars().str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T")
    return text.str.replace("[zZ]$", "+00:00").str.to_datetime(_RFC3339, strict=False, time_unit="us")


def _boolean(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Boolean:
        return column
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase() if is_text(dtype) else column.cast(pl.Float64)
    yes, no = (["true", "1"], ["false", "0"]) if is_text(dtype) else ([1.0], [0.0])
    return pl.when(words.is_in(yes)).then(statement=True).when(words.is_in(no)).then(statement=False)


def _whole(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_integer() or dtype == pl.Boolean:
        return column.cast(pl.Int64, strict=False)
    if is_text(dtype):
        text = column.cast(pl.String).str.strip_chars()
        return pl.coalesce(text.cast(pl.Int64, strict=False), _floor(text.cast(pl.Float64, strict=False)))
    return _floor(column.cast(pl.Float64))


def _floor(number: pl.Expr) -> pl.Expr:
    fits = number.is_finite() & (number == number.floor()) & (number.abs() < _INT_LIMIT)
    return pl.when(fits).then(number).cast(pl.Int64, strict=False)
