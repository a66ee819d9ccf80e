"""The keys of `prepare`: what becomes of the features before an estimator sees them."""

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


# The order of these keys means nothing, so it must not change the digest.
Sorted = AfterValidator(_sorted)
Fill = Annotated[Annotated[Text, Field(examples=known(Imputation))] | float, BeforeValidator(_word_or_number)]
Scale = Annotated[Text, Field(examples=known(Scaling))]
Encode = Annotated[Text, Field(examples=known(CategoryEncoding))]
Part = Annotated[Text, Field(examples=known(DatePart))]


class Prepare(SpecSection):
    """How features become the numbers that an estimator sees.

    The steps are fitted to the training rows and are part of the model: requests have the features alone, as rows do.
    The order is dates and derived columns, missing values, scales, encodings. By default a number stays as it is, a
    missing one is missing to the estimator, too, and a category is target-encoded.
    """

    impute: Annotated[dict[Column, Fill], Sorted] = Field(default_factory=dict)
    """What a missing number is taken for: the `mean` or the `median` of the training rows, or the number that is given
    here. The columns are features that are no categories, parts of dates, and derived columns. Expressions see a
    missing number as it is."""
    scale: Annotated[dict[Column, Scale], Sorted] = Field(default_factory=dict)
    """How a number is scaled, by the training rows: `standard` to mean 0 and standard deviation 1, `minmax` to 0 to 1.
    The columns are those that `impute` may have. A value outside of the training rows' may exceed 0 to 1."""
    encode: Annotated[dict[Column, Encode], Sorted] = Field(default_factory=dict)
    """How a category becomes numbers. `target`, the default: the mean of the label where it has this value. `one_hot`:
    a column for each of the most frequent values. The others have 0 in all of them. `hash`: a fixed number of columns
    that values share by chance. One that the training rows lack has 0 in all of them."""
    hash_buckets: Annotated[int, Field(ge=2, le=4_096)] = 64
    """The number of columns of `hash`."""
    one_hot_levels: Annotated[int, Field(ge=1, le=4_096)] = 100
    """The largest number of columns of `one_hot`."""
    dates: Annotated[dict[Column, Annotated[tuple[Part, ...], Field(min_length=1)]], Sorted] = Field(
        default_factory=dict
    )
    """For a category that holds dates, or dates with a time, as ISO 8601 writes them: the parts that become columns,
    named such as `booked_at_hour`. The text itself is then not encoded. `weekday` is 1 on Mondays and 7 on Sundays. The
    parts are those that are written: a time zone shifts none of them. A text that is no date, and the hour of one
    without a time, is a missing number. In Parquet and Arrow files the column may be of dates or timestamps: they are
    read as such texts, those with a zone in UTC, such as 2013-01-31T10:00:00Z. Requests have texts."""
    derive: Annotated[dict[Column, Text], Sorted] = Field(default_factory=dict)
    """Columns that are computed from the numbers of a row, such as `rate: amount / income`. See below."""
    drop: tuple[Column, ...] = ()
    """The features and parts of dates that the estimator does not see, because they only serve expressions, slices or
    the fairness gate."""
