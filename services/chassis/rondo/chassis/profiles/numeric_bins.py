"""Computes the bins of numbers for all columns of a table at once.

A binary search has many branches that a processor can't predict. Comparing all values with each of some 40 edges takes
a fraction of its time, as long as the values stay in the cache and there are few calls. So columns are compared
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_AT_ONCE = 65_536
_MOST_EDGES = int(np.iinfo(np.uint8).max)


@dataclass(frozen=True, eq=False)
class NumericBins:
    """The edges of columns, shape `[columns, edges]`. A column with fewer edges is padded with NaN.

    `missing` is the bin of a missing value, shape `[columns]`.
    """

    edges: NDArray[np.float32]
    missing: NDArray[np.int64]

    @classmethod
    def of(cls, edges: Sequence[NDArray[np.float32]], missing: Sequence[int]) -> NumericBins:
        padded = np.full((len(edges), max((len(each) for each in edges), default=0)), np.nan, np.float32)
        for row, each in zip(padded, edges, strict=True):
            row[: len(each)] = each
        return cls(padded, np.array(missing, np.int64))

    def of_values(self, values: NDArray[np.float32]) -> NDArray[np.unsignedinteger]:
        """Return the bin of each value, counted from 0. Both have the shape `[columns, rows]`. NaN is missing.

        The type is the smallest one that can hold all bins.
        """
        found = np.empty(values.shape, np.min_scalar_type(int(self.missing.max(initial=0))))
        few = max(1, _AT_ONCE // max(1, len(values)))
        for first in range(0, values.shape[1], few):
            found[:, first : first + few] = self._edges_up_to(values[:, first : first + few])
        if (absent := np.isnan(values)).any():
            np.copyto(found, self.missing[:, None].astype(found.dtype), where=absent)
        return found

    def _edges_up_to(self, values: NDArray[np.float32]) -> NDArray[np.uint8] | NDArray[np.int64]:
        """Return the number of edges of its column that are at most each value."""
        if self.edges.shape[1] > _MOST_EDGES:
            pairs = zip(self.edges, values, strict=True)
            return np.array([np.searchsorted(edges, each, side="right") for edges, each in pairs], np.int64)
        found, reached = np.zeros(values.shape, np.uint8), np.empty(values.shape, np.bool_)
        for edges in self.edges.T:
            np.greater_equal(values, edges[:, None], out=reached)
            found += reached.view(np.uint8)
        return found
