"""The values of a feature that a request may have: `min`, `max` and `values` apply as to the rows of a batch.

Numbers are compared as float32, the type of the model's inputs. A value of 0.1 is therefore not above a maximum of 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one feature's values. `texts` is None if any text is allowed.

    The empty text is a missing value, in requests as in batches. Decoding refuses other missing values of a required
    feature, so only texts are checked for them here.
    """

    low: np.float32
    high: np.float32
    whole: bool
    texts: frozenset[str] | None
    optional: bool

    @classmethod
    def of(cls, feature: Feature) -> Limits:
        """Return the limits of a feature. Without `min` and `max` a number must be finite as float32."""
        low, high = _bound(feature.min, -LARGEST_FLOAT32), _bound(feature.max, LARGEST_FLOAT32)
        texts = None if feature.values is None else frozenset(feature.values) - {""}
        if texts is not None and feature.optional:
            texts |= {""}
        return cls(low, high, feature.type == "int", texts, feature.optional)

    def outside(self, column: Column) -> list[int]:
        """Return the numbers of the rows of a column, shape [N], float32 or text, whose value is not allowed."""
        if column.dtype == np.object_:
            return self._outside_texts(column.tolist())
        wrong = (column < self.low) | (column > self.high)  # NaN, a missing value, is in neither range
        if self.whole:
            wrong |= (np.trunc(column) != column) & ~np.isnan(column)
        return np.flatnonzero(wrong).tolist() if wrong.any() else []

    def _outside_texts(self, texts: list[str]) -> list[int]:
        # One operation decides for the whole column. In most cases it finds no invalid value.
        if self.texts is not None:
            unlisted = not self.texts.issuperset(texts)
            return [row for row, text in enumerate(texts) if text not in self.texts] if unlisted else []
        missing = not self.optional and "" in texts
        return [row for row, text in enumerate(texts) if not text] if missing else []

    def allow(self, value: str | float) -> bool:
        """Return whether one value is within the limits. It must not be missing, and must be finite as float32."""
        if isinstance(value, str):
            return self.texts is None or value in self.texts
        return bool(self.low <= np.float32(value) <= self.high)


class NumberLimits:
    """The limits of K features at once, which must all be numbers."""

    def __init__(self, limits: Sequence[Limits]) -> None:
        # The shape is [K, 1] even for K = 0, so that it fits any number of rows.
        self._low = np.array([each.low for each in limits], np.float32).reshape(-1, 1)
        self._high = np.array([each.high for each in limits], np.float32).reshape(-1, 1)
        self._whole = [place for place, each in enumerate(limits) if each.whole]

    def all_inside(self, numbers: NDArray[np.float32]) -> bool:
        """Return whether all values, shape [K, N], are allowed. NaN, a missing value, is allowed."""
        wrong = (numbers < self._low) | (numbers > self._high)
        if wrong.any():
            return False
        if not self._whole:
            return True
        whole = numbers[self._whole]
        return not ((np.trunc(whole) != whole) & ~np.isnan(whole)).any()


def example(feature: Feature) -> str | float | bool:
    """Return an allowed value in its JSON form."""
    if feature.type == "category":
        return next((value for value in feature.values or () if value), "example")
    low, high = feature.min or 0.0, feature.max if feature.max is not None else math.inf
    number = low if low > 0 else min(0.0, high)
    if feature.type == "bool":
        return number > 0
    return number if feature.type == "float" else math.ceil(number) if number > 0 else math.floor(number)


def _bound(declared: float | None, default: float) -> np.float32:
    # A bound beyond float32 has no effect, because values beyond it are infinite as float32.
    return np.float32(default if declared is None else min(max(declared, -LARGEST_FLOAT32), LARGEST_FLOAT32))
