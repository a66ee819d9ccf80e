"""Open vocabularies of the section `prepare`, each with its known words and the treatment of unknown words."""

from __future__ import annotations

from enum import StrEnum


class Imputation(StrEnum):
    """The statistic of the training rows that replaces a missing number.

    Unknown: `rondo apply` refuses the spec. A run of a stored spec with it fails and names the word.
    """

    MEAN = "mean"
    MEDIAN = "median"


class Scaling(StrEnum):
    """The scale of a number.

    Unknown: `rondo apply` refuses the spec. A run of a stored spec with it fails and names the word.
    """

    STANDARD = "standard"
    MINMAX = "minmax"


class CategoryEncoding(StrEnum):
    """The encoding of a category as numbers.

    Unknown: `rondo apply` refuses the spec. A run of a stored spec with it fails and names the word.
    """

    TARGET = "target"
    ONE_HOT = "one_hot"
    HASH = "hash"


class DatePart(StrEnum):
    """A part of a date that becomes a number.

    Unknown: `rondo apply` refuses the spec. A run of a stored spec with it fails and names the word.
    """

    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR = "hour"
