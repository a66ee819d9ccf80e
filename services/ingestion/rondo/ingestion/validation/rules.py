"""Finds the invalid rows of a batch: one boolean column per rule, which polars evaluates together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.figures import figure
from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.times import EARLIEST
from rondo.ingestion.validation.casting import cast, not_converted, stored, without_missing
from rondo.ingestion.validation.labels import label_column
from rondo.ingestion.validation.shorten import excerpt
from rondo.ingestion.validation.times import unread_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rondo.ingestion.validation.arrow_columns import RawBatch
    from rondo.ingestion.validation.contract import Column, Contract

# The type of a model's inputs, in which serving also validates requests.
_MODEL = pl.Float32
_TYPED = "typed."  # the prefix of a column after its cast
_EVERY_ROW = "missing, every row needs one"
_MISSING = {"entity": _EVERY_ROW, "time": _EVERY_ROW, "label": "label missing, send the row when it is known"}
_CORRECTION = "send a correction in a later batch"
_MISSING_FEATURE = "missing, send a value, or make it `optional` in the spec"


@dataclass(frozen=True)
class RowChecks:
    """The result of the rules.

    `typed` has the contract's columns in its types. `bad` has one boolean column for each reason that occurs, and
    `where` the column of the batch that the reason is about.
    """

    typed: pl.DataFrame
    bad: pl.DataFrame
    where: dict[str, str]


def check_rows(batch: RawBatch, contract: Contract, latest: datetime) -> RowChecks:
    """Convert a batch without schema problems to the contract's types, and check each value once.

    An event time after `latest` is in the future.
    """
    frame, schema = batch.frame, batch.frame.schema
    present = [column for column in contract.columns if column.name in schema]
    commas = batch.decimal_commas
    values = frame.select([without_missing(c, schema[c.name], decimal_commas=commas) for c in present])
    casts = [cast(c, schema[c.name], _sent(c, batch)).alias(f"{_TYPED}{c.name}") for c in present]
    both = values.with_columns(casts)
    rules = [(reason, c.name, rule) for c in present for reason, rule in _rules(c, schema[c.name], latest)]
    masks = both.select([rule.fill_null(value=False).alias(reason) for reason, _, rule in rules])
    where = {reason: name for reason, name, _ in rules}
    for key in contract.row_keys:
        same = " and ".join((*key[1:], key[0]))
        reason = f"{key[1]}: duplicate, an earlier row of this batch has the same {same}: {_CORRECTION}"
        masks = masks.with_columns(_repeated(both, key, masks).alias(reason))
        where[reason] = key[1]
    found = [reason for reason, hit in zip(masks.columns, masks.select(pl.all().any()).row(0), strict=True) if hit]
    clean = both.select([_finished(column, schema) for column in contract.columns])
    return RowChecks(clean, masks.select(found), where)


def _sent(column: Column, batch: RawBatch) -> pl.Expr:
    """Return the values of a column, without values that are text only because other values of the column are."""
    written = batch.written.get(column.name)
    return pl.col(column.name) if written is None else pl.lit(written)


def _repeated(both: pl.DataFrame, key: Sequence[str], masks: pl.DataFrame) -> pl.Series:
    """Return whether each row has the key of an earlier row. Rows that are invalid for other reasons don't count."""
    good = ~masks.select(pl.any_horizontal(pl.all())).to_series()
    keys = both.select(pl.struct([pl.when(good).then(pl.col(f"{_TYPED}{name}")).alias(name) for name in key]))
    return good & ~keys.to_series().is_first_distinct()


def _finished(column: Column, schema: pl.Schema) -> pl.Expr:
    """Return the column in its published form. NaN in an optional column is a missing value, as in pandas."""
    if column.name not in schema:
        return pl.lit(None).cast(stored(column)).alias(column.name)
    typed = pl.col(f"{_TYPED}{column.name}").alias(column.name)
    return typed.fill_nan(None) if column.kind == "float" else typed


def _rules(column: Column, dtype: pl.DataType, latest: datetime) -> Iterator[tuple[str, pl.Expr]]:
    """Yield each reason for one column with an expression that is true where it applies: at most one for a value."""
    name, raw, typed = column.name, pl.col(column.name), pl.col(f"{_TYPED}{column.name}")
    if not column.optional:
        yield f"{name}: {_MISSING.get(column.kind, _MISSING_FEATURE)}", raw.is_null()
    if column.kind == "time":
        yield from _time_rules(column, dtype, raw, typed, latest)
        return
    if column.kind in ("entity", "category"):
        unstorable = typed.str.contains("\x00", literal=True)
        yield f"{name}: holds a NUL character, which can't be stored: remove it", unstorable
        allowed = ~unstorable
    else:
        yield not_converted(column), raw.is_not_null() & typed.is_null()
        allowed = pl.lit(value=True)
    if column.kind == "label":
        yield from ((f"{name}: {problem}", where) for problem, where in label_column(column.labels).rules(typed))
    if column.kind == "float":
        yield from _float_rules(column, typed)
    if column.values is not None:
        values = sorted(column.values)
        reason = f"{name}: not an allowed value, send one of: {excerpt(', '.join(values))}"
        yield reason, allowed & ~typed.is_in(values)
    number = typed.cast(_MODEL)
    # Polars orders NaN as the largest number. NaN and infinite values have separate rules.
    if column.low is not None:
        yield (
            f"{name}: below the minimum {figure(column.low)}",
            number.is_finite() & (number < _bound(column.low)),
        )
    if column.high is not None:
        yield (
            f"{name}: above the maximum {figure(column.high)}",
            number.is_finite() & (number > _bound(column.high)),
        )


def _bound(declared: float) -> pl.Expr:
    # A bound beyond float32 excludes nothing: a number beyond it is infinite as float32.
    return pl.lit(min(max(declared, -LARGEST_FLOAT32), LARGEST_FLOAT32), _MODEL)


def _time_rules(
    column: Column, dtype: pl.DataType, raw: pl.Expr, typed: pl.Expr, latest: datetime
) -> Iterator[tuple[str, pl.Expr]]:
    name = column.name
    yield from unread_rules(column, dtype, raw.is_not_null() & typed.is_null())
    yield f"{name}: before the year 1900, send when it happened, such as 2013-01-01T10:00:00Z", typed < EARLIEST
    ahead = f"{name}: more than a day ahead of now, send when it happened, such as 2013-01-01T10:00:00Z"
    yield ahead, typed > latest


def _float_rules(column: Column, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    if not column.optional:
        yield f"{column.name}: NaN, send a number, or make it `optional` in the spec", typed.is_nan()
    yield f"{column.name}: infinite, send a finite number", typed.is_infinite()
    too_large = typed.is_finite() & typed.cast(_MODEL).is_infinite()
    yield f"{column.name}: more than float32 holds, send a smaller number", too_large
