"""Growing rows of values, and the number of values in each row that are smaller than a new one or equal to it.

Equal blocks must tie: blocks without a missing value are equal, and so are blocks with the same share of a category.
The trainer rounds the means of the reference, and a mean of means has rounding errors. So the means are rounded to a
grid of a millionth.

Most of a row is kept sorted, so that a binary search finds the place of a new value. The newest values are compared one
by one, because sorting the row again for each value would cost more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_UNSORTED = 64
"""The largest number of values at the end of a row that are not sorted yet."""
FEW = 24
"""The largest number of new values that are compared with the unsorted ones. Sorting these first would take longer."""
_FEWEST = 64
_STEPS = 1e6
# No share of rows lies on a border of the shifted grid: shares are multiples of a small power of 1/2 or 1/10, or are
# far from the borders.
_SHIFT = 0.3711


@dataclass(eq=False)
class GrowingColumns:
    """The first `used` columns of `room`, shape `[rows, columns]`. Most appends need no copy."""

    room: NDArray[np.float64]
    used: int

    @classmethod
    def of(cls, columns: NDArray[np.float64]) -> GrowingColumns:
        return cls(columns, columns.shape[1])

    def with_columns(self, known: int, columns: NDArray[np.float64]) -> GrowingColumns:
        """Return the first `known` columns followed by `columns`.

        Columns that another instance has appended after the known ones stay as they are. In that case the columns are
        copied.
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
        """The number of values of each row that are sorted."""
        count: int = self.ascending.shape[1]
        return count

    def with_values(self, values: NDArray[np.float64]) -> Ranking:
        """Return the ranking of `values`, which are in order of arrival. Their first ones are those sorted already."""
        together = np.concatenate((self.ascending, np.sort(values[:, self.sorted :], axis=1)), axis=1)
        # Timsort merges runs that are sorted already, and takes a fraction of the time of quicksort.
        together.sort(axis=1, kind="stable")
        return Ranking(together)

    def places(self, values: NDArray[np.float64], known: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many earlier values are smaller than each new one, and how many are equal.

        Shapes `[rows, new values]`. `values` has all values in order of arrival, shape `[rows, values]`. Those from
        index `known` on are new.
        """
        new = values[:, known:]
        below, same = self._among_sorted(new)
        others, each_new = values[:, None, self.sorted : -1], new[:, :, None]
        if not others.size:
            return below, same
        smaller, equal = others < each_new, others == each_new
        if new.shape[1] > 1:
            # A new value is compared only with the new values that arrived before it.
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
        # Few new values equal a sorted one, so only those are counted.
        ties = np.nonzero((self.ascending.take(at, mode="clip") == new) & (below < self.sorted))
        for row, number in zip(*(each.tolist() for each in ties), strict=True):
            same[row, number] = self.ascending[row].searchsorted(new[row, number], "right") - below[row, number]
        return below, same

    @cached_property
    def _keys(self) -> NDArray[np.complex128]:
        """The sorted values of all rows in a sequence. The real part is the row, and the imaginary part is the value.

        Complex numbers are ordered by the real part first, so one binary search finds the places of values in all rows.
        For many new values per row, a search in each row takes less time.
        """
        return _with_rows(self.ascending).ravel()


def on_grid(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means, each rounded to a place of the grid."""
    return np.asarray(np.floor(means * _STEPS + _SHIFT) / _STEPS)


def _with_rows(values: NDArray[np.float64]) -> NDArray[np.complex128]:
    found = np.empty(values.shape, np.complex128)
    found.real, found.imag = np.arange(len(values))[:, None], values
    return found


def _count(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sums along the last axis, which is short, so that a byte holds a sum. Sums of bytes are faster."""
    counts: NDArray[np.uint8] = found.view(np.uint8).sum(axis=-1, dtype=np.uint8)
    return counts.astype(np.int64)
