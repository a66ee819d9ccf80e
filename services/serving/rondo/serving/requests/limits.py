"""Which values of a feature a request may contain: the same `min`, `max` and `values` as for the rows of a batch.

Numbers are compared as float32, which is what the model sees: a request for 0.1 is not above a maximum of 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one feature's values; `texts` is None if any text is allowed. A missing value is within them."""

    low: np.float32
    high: np.float32
    whole: bool
    texts: frozenset[str] | None

    @classmethod
    def of(cls, feature: Feature) -> Limits:
        """Return the limits of a feature. Without `min` and `max` a number has to be finite as float32."""
        low, high = _bound(feature.min, -LARGEST_FLOAT32), _bound(feature.max, LARGEST_FLOAT32)
        # The empty text is a missing value, which only an optional feature may have.
        texts = None if feature.values is None else frozenset((*feature.values, *(("",) if feature.optional else ())))
        return cls(low, high, feature.type == "int", texts)

    def outside(self, column: Column) -> list[int]:
        """Return the rows of a column, shape [N], float32 or text, whose value is not allowed."""
        if column.dtype == np.object_:
            return [] if self.texts is None else _unlisted(column.tolist(), self.texts)
        wrong = (column < self.low) | (column > self.high)  # NaN, a missing value, is neither
        if self.whole:
            wrong |= (np.trunc(column) != column) & ~np.isnan(column)
        return np.flatnonzero(wrong).tolist() if wrong.any() else []

    def allow(self, value: str | float) -> bool:
        """Return whether one value, finite as float32, is within the limits."""
        if isinstance(value, str):
            return self.texts is None or value in self.texts
        return bool(self.low <= np.float32(value) <= self.high)


def _unlisted(texts: list[str], allowed: frozenset[str]) -> list[int]:
    # One set operation decides for the whole column, and usually for good.
    if allowed.issuperset(texts):
        return []
    return [row for row, text in enumerate(texts) if text not in allowed]


def example(feature: Feature) -> str | float | bool:
    """Return a value that is allowed, as JSON has it."""
    if feature.type == "category":
        return (feature.values or ("",))[0]
    low, high = feature.min or 0.0, feature.max if feature.max is not None else math.inf
    number = low if low > 0 else min(0.0, high)
    if feature.type == "bool":
        return number > 0
    return number if feature.type == "float" else math.ceil(number) if number > 0 else math.floor(number)


def _bound(declared: float | None, default: float) -> np.float32:
    # A bound past float32 is no bound: what lies past it is infinite as float32.
    return np.float32(default if declared is None else min(max(declared, -LARGEST_FLOAT32), LARGEST_FLOAT32))
