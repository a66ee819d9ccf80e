"""Rows of values that are appended to, and how many values of each row are smaller than a new one, and how many equal.

Ties must be ties: blocks of rows without any missing value are equal, and so are blocks with the same share of a
category. The trainer rounds the means of the reference, and a mean of means has errors of rounding, so means are put on
a grid of a millionth.

Most of a row is kept sorted, so that a new value is found by a binary search, and the newest values are compared one by
one: sorting the row again for each value would cost more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_UNSORTED = 64
"""The most values at the end of a row that are not sorted yet."""
FEW = 24
"""So many new values of a row are compared with those that are not sorted: to sort these first would take longer."""
_FEWEST = 64
_STEPS = 1e6
# No share of rows lies at a border of the shifted grid: shares are multiples of a small power of 1/2 or 1/10, or far
# from the borders.
_SHIFT = 0.3711


@dataclass(eq=False)
class GrowingColumns:
    """The first `used` columns of `room`, shape `[rows, columns]`. Columns are appended without a copy each time."""

    room: NDArray[np.float64]
    used: int

    @classmethod
    def of(cls, columns: NDArray[np.float64]) -> GrowingColumns:
        return cls(columns, columns.shape[1])

    def with_columns(self, known: int, columns: NDArray[np.float64]) -> GrowingColumns:
        """Return the first `known` columns and these after them.

        Columns that another value has appended after the known ones are left as they are: then there is a copy.
        """
        total = known + columns.shape[1]
        grown = self
        if known != self.used or total > self.room.shape[1]:
            room = np.empty((len(self.room), max(_FEWEST, total + total // 2)))
            room[:, :known] = self.room[:, :known]
            grown = GrowingColumns(room, known)
        grown.room[:, known:total] = columns
        grown.used = total
        return grown

    def upto(self, count: int) -> NDArray[np.float64]:
        """Return a view of the first columns."""
        return self.room[:, :count]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The first values of each row in ascending order, shape `[rows, sorted]`."""

    ascending: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Ranking:
        return cls(np.sort(values, axis=1))

    @property
    def sorted(self) -> int:
        """The number of values of each row that are in order."""
        count: int = self.ascending.shape[1]
        return count

    def with_values(self, values: NDArray[np.float64]) -> Ranking:
        """Return the ranking of `values`, which are all in order of arrival. The first of them are sorted already."""
        together = np.concatenate((self.ascending, np.sort(values[:, self.sorted :], axis=1)), axis=1)
        # Timsort merges what is in order, and takes a fraction of the time of quicksort.
        together.sort(axis=1, kind="stable")
        return Ranking(together)

    def places(self, values: NDArray[np.float64], known: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many values before each one are smaller, and how many are equal. Shapes `[rows, new values]`.

        `values` are all in order, shape `[rows, values]`. Those from number `known` on are new.
        """
        new = values[:, known:]
        below, same = self._among_sorted(new)
        others, each_new = values[:, None, self.sorted : -1], new[:, :, None]
        if not others.size:
            return below, same
        smaller, equal = others < each_new, others == each_new
        if new.shape[1] > 1:
            # Of the new values those count that are before the one.
            before = np.arange(self.sorted, values.shape[1] - 1) < np.arange(known, values.shape[1])[:, None]
            smaller, equal = smaller & before, equal & before
        return below + _count(smaller), same + _count(equal)

    def _among_sorted(self, new: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many of the sorted values are smaller than each new one, and how many are equal."""
        first = self.sorted * np.arange(len(new))[:, None]
        if new.shape[1] < FEW:
            at = self._keys.searchsorted(_with_rows(new))
        else:
            at = np.stack([row.searchsorted(each) for row, each in zip(self.ascending, new, strict=True)]) + first
        below, same = np.asarray(at - first), np.zeros(new.shape, np.int64)
        # Few values are equal to one before.
        ties = np.nonzero((self.ascending.take(at, mode="clip") == new) & (below < self.sorted))
        for row, number in zip(*(each.tolist() for each in ties), strict=True):
            same[row, number] = self.ascending[row].searchsorted(new[row, number], "right") - below[row, number]
        return below, same

    @cached_property
    def _keys(self) -> NDArray[np.complex128]:
        """The values row after row, each the imaginary part of a number whose real part is its row.

        Complex numbers are ordered by the real part first, so one binary search finds the places of values in all rows.
        For many values of a row, a search in each row takes less time.
        """
        return _with_rows(self.ascending).ravel()


def on_grid(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means, each rounded to one place of the grid."""
    return np.asarray(np.floor(means * _STEPS + _SHIFT) / _STEPS)


def _with_rows(values: NDArray[np.float64]) -> NDArray[np.complex128]:
    found = np.empty(values.shape, np.complex128)
    found.real, found.imag = np.arange(len(values))[:, None], values
    return found


def _count(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count along the last axis, which is short: a byte holds the number, and is added up faster."""
    counts: NDArray[np.uint8] = found.view(np.uint8).sum(axis=-1, dtype=np.uint8)
    return counts.astype(np.int64)
