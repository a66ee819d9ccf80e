"""Finds the bad rows of a batch: one boolean column per rule, all of them evaluated by polars at once."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.times import EARLIEST
from rondo.ingestion.validation.casting import (
    TARGET,
    cast,
    is_text,
    is_text_for_number,
    lost,
    mistyped,
    wanted,
    without_zone,
)
from rondo.ingestion.validation.file_formats import TYPED
from rondo.ingestion.validation.report_limits import cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.ingestion.validation.contract import Column, Contract
    from rondo.ingestion.validation.file_formats import FileFormat

# What the model sees, and what serving holds a request to.
_MODEL = pl.Float32
_TYPED = "typed."  # a column after its cast, beside the original
_EVERY_ROW = "missing, every row needs one"
_MISSING = {"entity": _EVERY_ROW, "time": _EVERY_ROW, "label": "label missing, send the row when it is known"}
_MISSING_FEATURE = "missing, send a value, or make it `optional` in the spec"


@dataclass(frozen=True)
class RowChecks:
    """What the rules say of a batch.

    `typed` has the contract's columns in its types; `bad` has one boolean column per reason that was met at all,
    and `where` the column of the batch that the reason is about.
    """

    typed: pl.DataFrame
    bad: pl.DataFrame
    where: dict[str, str]


def schema_problems(frame: pl.DataFrame, file_format: FileFormat, contract: Contract) -> list[str]:
    """Return why no row of the batch can be used: columns that are missing, renamed or of a wrong type."""
    untyped = set(texts_for_numbers(frame, contract)) if file_format in TYPED else set()
    extra = sorted(set(frame.columns) - set(contract.names))
    schema = frame.schema
    problems = []
    for column in contract.columns:
        if column.name in schema:
            problems.append(mistyped(column.name, schema[column.name], column.kind))
            problems.append(_untyped(column, file_format) if column in untyped else None)
        elif not column.optional:
            problems.append(_missing(column.name, extra))
    return [problem for problem in problems if problem]


def texts_for_numbers(frame: pl.DataFrame, contract: Contract) -> tuple[Column, ...]:
    """Return the columns that hold text where the contract says a number, or true and false."""
    schema = frame.schema
    there = (column for column in contract.columns if column.name in schema)
    texts = [column for column in there if is_text_for_number(schema[column.name], column.kind)]
    return tuple(column for column in texts if frame[column.name].null_count() < frame.height)


def _untyped(column: Column, file_format: FileFormat) -> str:
    said = f"column {column.name!r} is text, and the contract says {wanted(column.kind)}"
    return f"{said}: {file_format} keeps types, so send it with that type"


def _missing(name: str, extra: list[str]) -> str:
    folded = {_fold(other): other for other in extra}
    close = get_close_matches(_fold(name), folded, n=1, cutoff=0.7)
    if close:
        return f"column {name!r} is missing; {cut(folded[close[0]])!r} is not in the contract: rename it to {name!r}"
    return f"column {name!r} is missing: add it, or make it `optional` in the spec"


def _fold(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def check_rows(frame: pl.DataFrame, contract: Contract, latest: datetime) -> RowChecks:
    """Cast a batch that has no `schema_problems` to the contract's types, and look at each value once.

    An event time after `latest` is in the future.
    """
    schema = frame.schema
    present = [column for column in contract.columns if column.name in schema]
    typed = [cast(c.name, schema[c.name], c.kind).alias(f"{_TYPED}{c.name}") for c in present]
    both = frame.select([c.name for c in present]).with_columns(typed)
    rules = [(reason, c.name, rule) for c in present for reason, rule in _rules(c, schema[c.name], latest)]
    masks = both.select([rule.fill_null(value=False).alias(reason) for reason, _, rule in rules])
    entity = next(c.name for c in present if c.kind == "entity")
    repeated = f"{entity}: duplicate in this batch, the first is kept"
    masks = masks.with_columns(_repeated(both[f"{_TYPED}{entity}"], masks).alias(repeated))
    met = [reason for reason, hit in zip(masks.columns, masks.select(pl.all().any()).row(0), strict=True) if hit]
    clean = both.select([_finished(column, schema) for column in contract.columns])
    return RowChecks(clean, masks.select(met), {reason: name for reason, name, _ in rules} | {repeated: entity})


def _repeated(entities: pl.Series, masks: pl.DataFrame) -> pl.Series:
    """Return which rows have the entity of a row before them; rows that are bad anyway don't count, on either side."""
    good = ~masks.select(pl.any_horizontal(pl.all())).to_series()
    candidates = entities.to_frame("entity").select(pl.when(good).then(pl.col("entity"))).to_series()
    return candidates.is_not_null() & ~candidates.is_first_distinct()


def _finished(column: Column, schema: pl.Schema) -> pl.Expr:
    """Return the column as it is published. A NaN where a value may be missing is a missing value, as in pandas."""
    if column.name not in schema:
        return pl.lit(None).cast(TARGET[column.kind]).alias(column.name)
    typed = pl.col(f"{_TYPED}{column.name}").alias(column.name)
    return typed.fill_nan(None) if column.kind == "float" else typed


def _rules(column: Column, dtype: pl.DataType, latest: datetime) -> Iterator[tuple[str, pl.Expr]]:
    """Yield (reason, where it holds) for one column. No two of them hold for the same value."""
    name, raw, typed = column.name, pl.col(column.name), pl.col(f"{_TYPED}{column.name}")
    if not column.optional:
        yield f"{name}: {_MISSING.get(column.kind, _MISSING_FEATURE)}", raw.is_null()
    if column.kind == "time":
        yield from _time_rules(name, dtype, raw, typed)
        yield f"{name}: before the year 1900, send when it happened, such as 2013-01-01T10:00:00Z", typed < EARLIEST
        yield (
            f"{name}: more than a day ahead of now, send when it happened, such as 2013-01-01T10:00:00Z",
            typed > latest,
        )
        return
    if column.kind not in ("entity", "category"):
        yield lost(name, column.kind), raw.is_not_null() & typed.is_null()
    if column.kind == "float":
        yield from _float_rules(column, typed)
    if column.values is not None:
        values = sorted(column.values)
        yield f"{name}: not an allowed value, send one of: {cut(', '.join(values))}", ~typed.is_in(values)
    number = typed.cast(_MODEL)
    # Polars counts NaN as the largest number; it and the infinite have rules of their own.
    if column.low is not None:
        yield f"{name}: below the minimum {column.low:g}", number.is_finite() & (number < _bound(column.low))
    if column.high is not None:
        yield f"{name}: above the maximum {column.high:g}", number.is_finite() & (number > _bound(column.high))


def _bound(declared: float) -> pl.Expr:
    # A bound past float32 is none: what lies past it is infinite there.
    return pl.lit(min(max(declared, -LARGEST_FLOAT32), LARGEST_FLOAT32), _MODEL)


def _time_rules(name: str, dtype: pl.DataType, raw: pl.Expr, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    unread = raw.is_not_null() & typed.is_null()
    if is_text(dtype):
        zoneless = without_zone(name)
        yield f"{name}: a time without a zone, write it as 2013-01-01T10:00:00Z", unread & zoneless
        unread &= ~zoneless
    yield f"{name}: not a time, write it as 2013-01-01T10:00:00Z", unread


def _float_rules(column: Column, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    if not column.optional:
        yield f"{column.name}: NaN, send a number, or make it `optional` in the spec", typed.is_nan()
    yield f"{column.name}: infinite, send a finite number", typed.is_infinite()
    too_large = typed.is_finite() & typed.cast(_MODEL).is_infinite()
    yield f"{column.name}: more than float32 holds, send a smaller number", too_large
