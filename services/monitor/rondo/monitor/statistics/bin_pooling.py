"""The distribution of a column in a window and in the reference, and the pooling of sparse bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import ColumnBins
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Cochran's rule: the chi-square approximation needs this many expected rows in each bin.
_LEAST_EXPECTED = 5.0


def distributions(
    column: ColumnBins, window: WindowCounts, reference: Reference
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a column's counts by bin in the window and in the reference, without missing values."""
    return column.of(window.bins)[:-1], column.of(reference.counts)[:-1]


def pool(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Merge the bins in which fewer than five rows are expected into one, the last.

    That bin stays apart, however few rows are expected in it: values that the reference has not would otherwise
    disappear among those that it has.
    """
    rows, total = int(observed.sum()), int(reference.sum())
    sparse = reference * rows < _LEAST_EXPECTED * total
    if not sparse.any() or sparse.all():
        return observed, reference
    return (
        np.append(observed[~sparse], observed[sparse].sum()),
        np.append(reference[~sparse], reference[sparse].sum()),
    )
