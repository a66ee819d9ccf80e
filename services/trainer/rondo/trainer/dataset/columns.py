"""The columns of a training set, whichever table a row comes from, and the order of its rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.spec.data import LARGEST_EXACT_INT, LARGEST_FLOAT32
from rondo.contracts.tasks.label_values import LARGEST_WHOLE
from rondo.contracts.tasks.multiclass import MAX_LABEL_CHARACTERS
from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature, ModelSpec

TIME = pl.Datetime("us", "UTC")
# The first instant that `datetime` can hold.
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# How ingestion writes true and false where a column becomes text.
_TRUTHS = {"false": 0.0, "true": 1.0}
# No column of a table has a dot in its name.
_INEXACT = "inexact."


def in_order(spec: ModelSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort by event time, entity and all other columns, because a table has no order of rows.

    Rows that still tie are equal, so the same rows are the same frame, whatever files they were in.
    """
    return rows.sort(*spec.data.row_key, spec.data.label, *spec.features)


def required(spec: ModelSpec) -> list[str]:
    """Return the features that every row must have."""
    return [name for name, feature in spec.features.items() if not feature.optional]


def required_sent(spec: ModelSpec) -> list[str]:
    """Return the features that every published row must have. Others are joined to it."""
    return [name for name in required(spec) if spec.features[name].is_sent]


def label(spec: ModelSpec, stored: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Convert stored labels of the type `dtype` to the type of the task: text or float64.

    A value that is no label of the task becomes null: the model may have had another task when it was stored. A
    declared dataset stores labels as they were sent: `data.positive` and `data.negative` are texts there, and numbers
    elsewhere.
    """
    if spec.labels.storage == "text":
        return _class(stored) if dtype == pl.String else _text(stored, dtype)
    number = _number(spec, stored, dtype)

    def includes(values: pl.Series) -> pl.Series:
        return pl.Series(spec.labels.includes(values.to_numpy()))

    return pl.when(number.map_batches(includes, return_dtype=pl.Boolean, is_elementwise=True)).then(number)


def _class(stored: pl.Expr) -> pl.Expr:
    """Convert texts to classes. A declared dataset may have texts that are no class, and blanks around a class."""
    text = stored.str.strip_chars()
    return pl.when(text.str.len_chars().is_between(1, MAX_LABEL_CHARACTERS)).then(text)


def _number(spec: ModelSpec, stored: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    number = stored.cast(pl.Float64, strict=False)
    if dtype != pl.String:
        return number
    positive, negative = spec.data.positive, spec.data.negative
    texts = _TRUTHS if positive is None or negative is None else {negative: 0.0, positive: 1.0}
    mapped = stored.str.strip_chars().replace_strict(
        list(texts), list(texts.values()), default=None, return_dtype=pl.Float64
    )
    # Rows from before the dataset was declared have numbers, which became texts when the column did.
    return pl.coalesce(mapped, number)


def outsides(spec: ModelSpec) -> dict[str, pl.Expr]:
    """Return, for each feature with limits, an expression that is true for rows with a value outside of the limits."""
    sent = {name: described for name, described in spec.features.items() if described.is_sent}
    found = ((name, _outside_limits(name, described)) for name, described in sent.items())
    return {name: outside for name, outside in found if outside is not None}


def _outside_limits(name: str, described: Feature) -> pl.Expr | None:
    """Return an expression that is true for values that a request may not have. None if the feature has no limits."""
    value, found = pl.col(name), []
    if described.min is not None:
        found.append(value < _bound(described.min))
    if described.max is not None:
        found.append(value > _bound(described.max))
    if described.values is not None:
        found.append(~value.is_in(list(described.values)))
    return pl.any_horizontal(found).fill_null(value=False) if found else None


def _bound(declared: float) -> pl.Expr:
    """Return a limit as float32, the type of a model's numbers. A limit beyond float32 excludes nothing."""
    return pl.lit(min(max(declared, -LARGEST_FLOAT32), LARGEST_FLOAT32), pl.Float32)


def targets(spec: ModelSpec, rows: pl.DataFrame, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the labels of training rows as an estimator takes them, shape `[rows]`: see `Task.targets`."""
    stored = rows[spec.data.label]
    return task_named(spec.task).targets(stored.to_numpy() if stored.dtype.is_float() else stored.to_list(), classes)


def _text(number: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Format numbers as ingestion does where a column of numbers becomes text: a whole number is its digits."""
    if not dtype.is_float():
        return number.cast(pl.String)
    whole = pl.when((number == number.floor()) & (number.abs() <= LARGEST_WHOLE)).then(number)
    return pl.coalesce(whole.cast(pl.Int64).cast(pl.String), number.cast(pl.String))


def feature(name: str, described: Feature, column: str, present: Mapping[str, pl.DataType]) -> pl.Expr:
    """Return a feature as the model sees it: text or float32. Null where the table has no such column.

    Ingestion converts a column to text if its type changes. A text that is no value of the feature becomes null.
    """
    if described.type != "category" and present.get(column) == pl.String:
        return _number_of_text(described, pl.col(column)).alias(name)
    return (pl.col(column) if column in present else pl.lit(None)).cast(stored_type(described)).alias(name)


def stored_type(described: Feature) -> pl.DataType:
    """Return the type of a feature in a training set."""
    return pl.String() if described.type == "category" else pl.Float32()


def _number_of_text(described: Feature, stored: pl.Expr) -> pl.Expr:
    text = stored.str.strip_chars()
    truth = text.replace_strict(list(_TRUTHS), list(_TRUTHS.values()), default=None, return_dtype=pl.Float32)
    number = pl.coalesce(truth, text.cast(pl.Float32, strict=False))
    within = number.is_in([0.0, 1.0]) if described.type == "bool" else number.is_finite()
    return pl.when(within).then(number)


def inexact_marks(spec: ModelSpec, present: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return a column per `int` feature of the table that marks the values which float32 can't hold exactly."""
    sent = {name: described for name, described in spec.features.items() if described.is_sent}
    marks = (inexact_mark(name, described, name, present) for name, described in sent.items())
    return [mark for mark in marks if mark is not None]


def inexact_mark(name: str, described: Feature, column: str, present: Mapping[str, pl.DataType]) -> pl.Expr | None:
    """Return the column that marks the inexact values of one feature. None if it has none."""
    if described.type != "int" or column not in present or not present[column].is_integer():
        return None
    return (pl.col(column).abs() > LARGEST_EXACT_INT).fill_null(value=False).alias(f"{_INEXACT}{name}")


def pop_inexact(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows without the columns of `inexact_marks`, and the features that they mark in any row."""
    marks = [name for name in rows.columns if name.startswith(_INEXACT)]
    return rows.drop(marks), [name.removeprefix(_INEXACT) for name in marks if rows[name].any()]


def micros(time: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(time: int) -> datetime:
    """Return the time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=time)
