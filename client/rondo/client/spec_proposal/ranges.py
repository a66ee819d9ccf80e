"""Natural ranges of numbers, by the name of their column. The range of the values in one file would be too tight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.client.spec_proposal.names import words

if TYPE_CHECKING:
    from rondo.client.spec_proposal.summary import ColumnSummary

_BY_WORD: tuple[tuple[frozenset[str], float, float], ...] = (
    (frozenset(("share", "fraction", "proportion", "probability", "prob")), 0, 1),
    (frozenset(("percent", "percentage", "pct", "humidity", "humid")), 0, 100),
    (frozenset(("latitude", "lat")), -90, 90),
    (frozenset(("longitude", "lon", "lng", "long")), -180, 180),
    (frozenset(("hour",)), 0, 23),
    (frozenset(("month",)), 1, 12),
    (frozenset(("age",)), 0, 150),
)
# These may be negative, although the values of one season or of a good period are not.
_ANY_SIGN = frozenset(
    ("balance", "change", "celsius", "delay", "delta", "diff", "difference", "drift", "elevation", "altitude", "error",
     "fahrenheit", "gain", "growth", "lat", "lon", "log", "margin", "net", "offset", "profit", "residual", "return",
     "score", "temp", "temperature", "trend", "x", "y", "z")
)  # fmt: skip
# With fewer rows the sign of the values has no meaning.
_FEWEST = 20


def natural_range(column: ColumnSummary) -> tuple[float | None, float | None]:
    """Return the lowest and the highest possible value of a number. None if the name says nothing about it."""
    if column.low is None or column.high is None:
        return None, None
    found = set(words(column.name))
    for names, low, high in _BY_WORD:
        if found & names and low <= column.low and column.high <= high:
            return low, high
    if column.low >= 0 and column.present >= _FEWEST and not found & _ANY_SIGN:
        return 0, None
    return None, None
