"""The Kolmogorov-Smirnov distance of each column with an order: that of the cumulative shares, 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.column_distance import Distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ks(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the largest difference of the cumulative shares."""
    return float(np.abs(np.cumsum(observed) / observed.sum() - np.cumsum(reference) / reference.sum()).max())


KOLMOGOROV_SMIRNOV = Distance(StatisticName.KS, ks, categorical=False)
