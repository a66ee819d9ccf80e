"""Values of labels: the rules of numbers and texts that tasks share, for one value or for a column of them."""

from __future__ import annotations

import re

# A number as a text, the same in Python, polars and JSON. Python alone reads `1_000` and digits of other scripts.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# Beyond it a JSON number may have been rounded to its neighbour on the way (RFC 7493, section 2.2).
LARGEST_WHOLE = 2**53 - 1
_NUMBER = re.compile(NUMBER)


def number(text: str) -> float | None:
    """Return the number that a text is, infinite beyond float64. None for other texts, such as `nan`."""
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
