"""An estimate of the number of different hashes in constant memory, from the smallest ones (k minimum values).

Beyer, Haas, Reinwald, Sismanis, Gemulla, "On synopses for distinct-value estimation under multiset operations", SIGMOD
2007. If u is the k-th smallest of uniform hashes, (k - 1) / u is unbiased. Its relative standard error is
1 / sqrt(k - 2). Up to k different hashes the number is exact. Sketches of disjoint rows can be merged to a sketch of
all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 1_024
RELATIVE_ERROR = (SIZE - 2) ** -0.5
_RANGE = 2.0**64


def _none() -> NDArray[np.uint64]:
    return np.zeros(0, np.uint64)


def _smallest(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the `SIZE` smallest different hashes, and possibly others. Sorting all hashes would take longer."""
    if len(hashes) > 4 * SIZE:
        few = np.partition(hashes, 2 * SIZE)[: 2 * SIZE]
        if len(_different(few)) >= SIZE:
            return few
    return hashes


def _different(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the different hashes in ascending order. `np.unique` takes several times as long."""
    found = np.sort(hashes)
    return found[np.append(True, found[1:] != found[:-1])] if found.size else found


@dataclass(frozen=True, eq=False)
class DistinctSketch:
    """The number of `rows`, and their `SIZE` smallest different hashes, in ascending order."""

    rows: int = 0
    smallest: NDArray[np.uint64] = field(default_factory=_none)

    def plus(self, hashes: NDArray[np.uint64]) -> DistinctSketch:
        """Return the sketch with further rows."""
        # Only hashes below the largest kept one can be among the smallest.
        few = _smallest(hashes) if self.is_exact else hashes[hashes < self.smallest[-1]]
        return self.merged(DistinctSketch(len(hashes), few))

    def merged(self, other: DistinctSketch) -> DistinctSketch:
        """Return the sketch of the rows of both."""
        together = _different(np.concatenate([self.smallest, other.smallest]))[:SIZE]
        return DistinctSketch(self.rows + other.rows, together)

    @property
    def is_exact(self) -> bool:
        """True if all different hashes are kept."""
        return len(self.smallest) < SIZE

    @property
    def repeated(self) -> float:
        """The share of rows that repeat an earlier one."""
        return 1 - min(self._distinct / self.rows, 1.0) if self.rows else 0.0

    @property
    def error(self) -> float:
        """The standard error of `repeated`."""
        return 0.0 if self.is_exact else RELATIVE_ERROR * (1 - self.repeated)

    @property
    def _distinct(self) -> float:
        return len(self.smallest) if self.is_exact else (SIZE - 1) * _RANGE / (float(self.smallest[-1]) + 1)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, DistinctSketch)
            and self.rows == other.rows
            and np.array_equal(self.smallest, other.smallest)
        )

    def __hash__(self) -> int:
        return hash((self.rows, len(self.smallest)))
