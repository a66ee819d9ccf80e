"""Parses values that a file has as texts, by the type that the spec gives their column.

Ingestion applies the same rules to whole columns, with the patterns of this file.
"""

from __future__ import annotations

import math
import re

from rondo.contracts.tasks.label_values import NUMBER

# A number with a decimal comma. Separators of thousands are not allowed.
COMMA_NUMBER = r"^([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)$"
NOT_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity)$"
YES, NO = ("true", "1"), ("false", "0")
_COMMA, _NOT_FINITE, _NUMBER = re.compile(COMMA_NUMBER), re.compile(NOT_FINITE), re.compile(NUMBER)
# Python does not convert a text of more than 4,300 digits. A number of 64 bits has at most 19.
_WHOLE = re.compile(r"([+-]?)0*([0-9]{1,19})")
_INT64 = 2**63


def with_point(text: str) -> str:
    """Return a number with a decimal comma as one with a decimal point. Other texts stay as they are."""
    return _COMMA.sub(r"\1.\2", text)


def parse_number(text: str) -> float | None:
    """Return the number of a text, which may be NaN or infinite. None for other texts, such as `1_000`."""
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return float(text)
    return None


def parse_whole(text: str) -> int | None:
    """Return the whole number of a text such as `7`, `7.0` or `7e3`. None for other texts, and beyond 64 bits."""
    if whole := _WHOLE.fullmatch(text):
        return number if -_INT64 <= (number := int("".join(whole.groups()))) < _INT64 else None
    found = parse_number(text)
    if found is None or not math.isfinite(found) or found != math.floor(found) or abs(found) >= _INT64:
        return None
    return int(found)


def parse_boolean(text: str) -> bool | None:
    """Return the value of `true`, `false`, 1 or 0, in any case. None for other texts."""
    folded = text.lower()
    return True if folded in YES else False if folded in NO else None
