"""The rules for numbers and texts as labels, for one value or for a column. Tasks share them."""

from __future__ import annotations

import re

# A number as a text, with the same rule in Python, polars and JSON. Only Python accepts `1_000` and digits of other
# scripts.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# Beyond this a JSON number may have been rounded to its neighbour in transit (RFC 7493, section 2.2).
LARGEST_WHOLE = 2**53 - 1
_NUMBER = re.compile(NUMBER)


def number(text: str) -> float | None:
    """Return the number of a text, infinite beyond float64. None for other texts, such as `nan`."""
    stripped = text.strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def label_text(value: object) -> str | None:
    """Return a JSON value as a text: a text without surrounding blanks, a whole number, `true` or `false`.

    None for other values, such as 0.5, and for whole numbers beyond `LARGEST_WHOLE`.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value)) if abs(value) <= LARGEST_WHOLE else None
    return None
