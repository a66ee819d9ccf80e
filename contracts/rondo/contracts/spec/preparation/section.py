"""The keys of `prepare`, which convert features for an estimator."""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.spec.preparation.vocabularies import CategoryEncoding, DatePart, Imputation, Scaling
from rondo.contracts.text import Column, Text
from rondo.contracts.vocabularies import known

V = TypeVar("V")


def _word_or_number(value: object) -> object:
    if type(value) not in (int, float, str) or (isinstance(value, float) and not math.isfinite(value)):
        message = f"expected {', '.join(Imputation)} or a finite number"
        raise ValueError(message)
    return value


def _sorted(values: dict[Column, V]) -> dict[Column, V]:
    return dict(sorted(values.items()))


# The order of these keys has no meaning, so it must not change the digest.
Sorted = AfterValidator(_sorted)
Fill = Annotated[Annotated[Text, Field(examples=known(Imputation))] | float, BeforeValidator(_word_or_number)]
Scale = Annotated[Text, Field(examples=known(Scaling))]
Encode = Annotated[Text, Field(examples=known(CategoryEncoding))]
Part = Annotated[Text, Field(examples=known(DatePart))]


class Prepare(SpecSection):
    """The conversion of features to the numbers that an estimator gets.

    The steps are fitted to the training rows and are part of the model. Requests therefore have the same features as
    the rows of batches. The order of the steps is: dates and derived columns, missing values, scales, encodings. By
    default a number stays as it is, a missing number stays missing, and a category is target-encoded.
    """

    impute: Annotated[dict[Column, Fill], Sorted] = Field(default_factory=dict)
    """The value that replaces a missing number: the `mean` or the `median` of the training rows, or a given number. The
    columns may be features that are not categories, parts of dates, and derived columns. Expressions are computed
    before this step, from missing numbers as they are."""
    scale: Annotated[dict[Column, Scale], Sorted] = Field(default_factory=dict)
    """The scale of a number, fitted to the training rows: `standard` has mean 0 and standard deviation 1, `minmax` goes
    from 0 to 1. The columns may be those of `impute`. A value beyond the range of the training rows may be outside of 0
    to 1."""
    encode: Annotated[dict[Column, Encode], Sorted] = Field(default_factory=dict)
    """The encoding of a category as numbers. `target`, the default: the mean of the label over the rows with this
    value. `one_hot`: a column for each of the most frequent values. Other values have 0 in all columns. `hash`: a fixed
    number of columns, in which a hash decides the column of a value. A value that the training rows lack has 0 in all
    columns."""
    hash_buckets: Annotated[int, Field(ge=2, le=4_096)] = 64
    """The number of columns of `hash`."""
    one_hot_levels: Annotated[int, Field(ge=1, le=4_096)] = 100
    """The largest number of columns of `one_hot`."""
    dates: Annotated[dict[Column, Annotated[tuple[Part, ...], Field(min_length=1)]], Sorted] = Field(
        default_factory=dict
    )
    """For a category with dates, or dates with a time, in ISO 8601: the parts that become columns, with names such as
    `booked_at_hour`. The text itself is then not encoded. `weekday` is 1 on Mondays and 7 on Sundays. The parts are
    taken from the text as it is written, without a conversion of its time zone. If the text is not a date, its parts
    are missing numbers, and so is the hour of a date without a time. In Parquet and Arrow files the column may have
    dates or timestamps. They are converted to such texts, and timestamps with a zone to UTC, such as
    2013-01-31T10:00:00Z. Requests have texts."""
    derive: Annotated[dict[Column, Text], Sorted] = Field(default_factory=dict)
    """Columns that are computed from the numbers of a row, such as `rate: amount / income`. See below."""
    drop: tuple[Column, ...] = ()
    """Features and parts of dates that the estimator does not get, because they only serve expressions, slices or the
    fairness gate."""
