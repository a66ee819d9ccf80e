"""Open vocabularies of the section `prepare`: the known words, and what an unknown one means."""

from __future__ import annotations

from enum import StrEnum


class Imputation(StrEnum):
    """What a missing number is taken for: a figure of the training rows.

    Unknown: `rondo apply` refuses the spec. The run of such a spec fails and names the word.
    """

    MEAN = "mean"
    MEDIAN = "median"


class Scaling(StrEnum):
    """How a number is scaled.

    Unknown: `rondo apply` refuses the spec. The run of such a spec fails and names the word.
    """

    STANDARD = "standard"
    MINMAX = "minmax"


class CategoryEncoding(StrEnum):
    """How a category becomes numbers.

    Unknown: `rondo apply` refuses the spec. The run of such a spec fails and names the word.
    """

    TARGET = "target"
    ONE_HOT = "one_hot"
    HASH = "hash"


class DatePart(StrEnum):
    """A part of a date that becomes a number.

    Unknown: `rondo apply` refuses the spec. The run of such a spec fails and names the word.
    """

    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR = "hour"
