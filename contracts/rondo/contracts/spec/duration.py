"""Parses and formats durations of `rondo.yaml`: a number and a unit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"{_NUMBER}(s|m|h|d|w)", re.ASCII)
_SIZES = (("w", timedelta(weeks=1)), ("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
_LONGEST = timedelta(weeks=5_200)


def parse_duration(value: object) -> timedelta:
    """Parse a duration such as `90s`, `15m`, `6h`, `14d` or `2w`.

    Raises:
        ValueError: the text has another form, or the duration is longer than a hundred years. The message shows the
            form.

    """
    if isinstance(value, timedelta):
        return _in_range(value, format_duration(value))
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError(f"{value!r} is not a duration: write a number and a unit, such as 90s, 15m, 6h, 14d or 2w")
    try:
        return _in_range(timedelta(**{_UNITS[matched[2]]: float(matched[1])}), matched[0])
    except OverflowError:
        raise _too_long(matched[0]) from None


def _in_range(value: timedelta, text: str) -> timedelta:
    if value < timedelta(0):
        raise ValueError(f"{text} is negative: a duration is 0s or more")
    if value > _LONGEST:
        raise _too_long(text)
    return value


def _too_long(text: str) -> ValueError:
    return ValueError(f"{text[:20]} is longer than {format_duration(_LONGEST)}: check the number and the unit")


def format_duration(value: timedelta) -> str:
    """Format a duration in the largest unit that divides it. The inverse of `parse_duration`, to the microsecond."""
    for unit, size in _SIZES:
        if value and not value % size:
            return f"{value // size}{unit}"
    seconds, rest = divmod(value, timedelta(seconds=1))
    fraction = f".{rest.microseconds:06d}".rstrip("0") if rest else ""
    return f"{seconds}{fraction}s"


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be longer than nothing, such as 1h")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_NUMBER}(s|m|h|d|w)$"}),
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
