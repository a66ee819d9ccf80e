"""Converts a column of event times by the rules of `rondo.contracts.batch_files.times`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.batch_files.times import DATE, EPOCHS, WITH_ZONE, WITHOUT_ZONE
from rondo.ingestion.validation.labels import is_text
from rondo.ingestion.validation.shorten import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.ingestion.validation.contract import Column

TIME = pl.Datetime("us", "UTC")
_EXAMPLE = "2013-01-01T10:00:00Z"
_SECONDS = "%Y-%m-%dT%H:%M:%S"
_FULL = f"{_SECONDS}%.f"
_ZONELESS = f"{WITHOUT_ZONE}|{DATE}"
_NAME_ZONE = "set `data.time_zone` in the spec"


def time_type_problem(column: Column, dtype: pl.DataType) -> str | None:
    """Return the reason why no value of a type other than text can be a time. None if some may be."""
    if dtype.is_numeric():
        return None
    if dtype != pl.Date and not isinstance(dtype, pl.Datetime):
        return f"column {column.name!r} is {excerpt(str(dtype))}, not a time: send times as {_EXAMPLE}"
    if column.zone is None and (dtype == pl.Date or getattr(dtype, "time_zone", None) is None):
        what = "a date without a time of day and a zone" if dtype == pl.Date else "a time without a zone"
        return f"column {column.name!r} is {what}: send UTC or a type with a zone, or {_NAME_ZONE}"
    return None


def time(values: pl.Expr, dtype: pl.DataType, zone: str | None) -> pl.Expr:
    """Return the times of values without missing ones. Null for a value that `parse_time` does not read."""
    if is_text(dtype):
        read = partial(_of_texts, zone=zone)
        return values.map_batches(read, return_dtype=TIME, is_elementwise=True)
    if dtype.is_numeric():
        return _since_1970(values, dtype)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return values.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    return _in_zone(values.cast(pl.Datetime("us")), zone)


def is_date(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Date | pl.Datetime)


def written_dates(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return dates, or dates with a time, in the form of `written_date`."""
    if not isinstance(dtype, pl.Datetime):
        return values.dt.to_string("%Y-%m-%d")
    clock = (
        values.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        if dtype.time_zone
        else values.dt.cast_time_unit("us")
    )
    zone = "Z" if dtype.time_zone else ""
    plain, fraction = (clock.dt.to_string(f"{_SECONDS}{digits}{zone}") for digits in ("", "%.6f"))
    return pl.when(clock.dt.microsecond() == 0).then(plain).otherwise(fraction)


def unread_rules(column: Column, dtype: pl.DataType, unread: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    """Yield each reason for values that `time` could not convert, with an expression that is true where it applies."""
    name = column.name
    if is_text(dtype):
        zoneless = pl.col(name).cast(pl.String).str.contains(_ZONELESS)
        reason = f"a time without a zone, write it as {_EXAMPLE}, or {_NAME_ZONE}"
        yield f"{name}: {_skipped(column.zone) if column.zone else reason}", unread & zoneless
        unread &= ~zoneless
    elif isinstance(dtype, pl.Datetime | pl.Date):
        yield f"{name}: {_skipped(column.zone or '')}", unread
        return
    yield f"{name}: not a time, write it as {_EXAMPLE}", unread


def _skipped(zone: str) -> str:
    return f"no time in {zone}, whose clocks skip or repeat it, or no date: write it with its offset, as {_EXAMPLE}"


def _of_texts(values: pl.Series, zone: str | None) -> pl.Series:
    """Parse texts in separate steps. In one expression, polars would compute the first step for each use of it."""
    # The parser of polars also accepts a second 60, a month of one digit, and similar texts.
    kept = pl.when(pl.col("").str.contains(WITH_ZONE)).then(pl.col(""))
    text = kept.str.replace(r"^(\d{4}-\d\d-\d\d)[t ]", "${1}T").str.replace("[zZ]$", "+00:00")
    frame = values.alias("").to_frame()
    usual = frame.select(text.str.to_datetime(f"{_FULL}%:z", strict=False, time_unit="us")).to_series()
    others = (usual.is_null() & values.is_not_null()).arg_true()
    if others.is_empty():
        return usual
    rest = frame[others]
    found = rest.select(_without_seconds(pl.col(""))).to_series()
    for epoch in EPOCHS:
        found = found.fill_null(_epoch_texts(rest, epoch.pattern))
    if zone is not None:
        found = found.fill_null(rest.select(_in_zone(_local(pl.col("")), zone)).to_series())
    return usual.scatter(others, found)


def _without_seconds(text: pl.Expr) -> pl.Expr:
    kept = pl.when(text.str.contains(WITH_ZONE)).then(text)
    full = kept.str.replace("[zZ]$", "+00:00").str.replace(r"^(.{10}).(.{5})( ?[+-])", "${1}T${2}:00${3}")
    return full.str.to_datetime(f"{_FULL}%:z", strict=False, time_unit="us")


def _local(text: pl.Expr) -> pl.Expr:
    """Return times and dates without a zone as local times."""
    kept = pl.when(text.str.contains(_ZONELESS)).then(text)
    full = kept.str.replace(r"^(.{10})$", "${1}T00:00:00").str.replace(r"^(.{10}).(.{5})$", "${1}T${2}:00")
    return full.str.replace(r"^(.{10}).", "${1}T").str.to_datetime(_FULL, strict=False, time_unit="us")


def _in_zone(clock: pl.Expr, zone: str | None) -> pl.Expr:
    placed = clock.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return placed.dt.convert_time_zone("UTC") if zone else placed.cast(TIME)


def _epoch_texts(rest: pl.DataFrame, pattern: str) -> pl.Series:
    kept = rest.select(pl.when(pl.col("").str.contains(pattern)).then(pl.col("")))
    kinds = (pl.Int64(), pl.Float64())
    whole, number = (kept.select(_since_1970(pl.col("").cast(kind, strict=False), kind)).to_series() for kind in kinds)
    return whole.fill_null(number)


def _since_1970(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    found = []
    for epoch in EPOCHS:
        inside = pl.when(values.is_between(epoch.low, epoch.high)).then(values)
        whole = inside.cast(pl.Int64, strict=False)
        if epoch.unit < 1:
            micros = whole // 1000
        elif dtype.is_integer():
            micros = whole * int(epoch.unit)
        else:
            micros = (inside.cast(pl.Float64) * epoch.unit + 0.5).floor()
        found.append(micros.cast(pl.Int64, strict=False).cast(TIME))
    return pl.coalesce(found)
