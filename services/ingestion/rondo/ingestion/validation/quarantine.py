"""Converts the rows of a batch to JSON texts, with columns of any type and columns that the contract lacks."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl


def as_json(rows: pl.DataFrame) -> pl.Series:
    """Return each row as a JSON object. JSON has no NaN, infinity, bytes or times: they are texts."""
    frame = pl.DataFrame([_plain(column) for column in rows.get_columns()])
    return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def _plain(column: pl.Series) -> pl.Series:
    """Return the column as numbers, true and false, or texts."""
    dtype = column.dtype
    if dtype in (pl.String, pl.Boolean, pl.Null) or (dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128)):
        return column
    if dtype.is_float():
        return column if column.is_finite().all() else column.cast(pl.Float64).cast(pl.String)
    if dtype == pl.Binary:
        return column.bin.encode("base64")
    if isinstance(dtype, pl.Date | pl.Time | pl.Datetime | pl.Categorical | pl.Enum | pl.Decimal):
        return column.cast(pl.String)
    return pl.Series(column.name, [_text(value) for value in column.to_list()], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a number has more than 64 bits, or the value is nested too deeply
        return repr(value)
