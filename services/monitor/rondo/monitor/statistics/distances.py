"""Distances of a column's distribution from the reference.

The total variation distance is the largest difference of any set's share: what the Kolmogorov-Smirnov distance is for
values without an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import distributions, pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class Distance:
    """Yields `statistic` of each column with categories, or of each other column."""

    statistic: StatisticName
    distance: Callable[[NDArray[np.int64], NDArray[np.int64]], float]
    categorical: bool

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for column in reference.binning.columns:
            if (column.categories is not None) == self.categorical:
                counts = distributions(column, window, reference)
                value = self.distance(*(pool(*counts) if self.categorical else counts))
                yield Statistic(feature=column.name, statistic=self.statistic, value=value)


def ks(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the Kolmogorov-Smirnov distance, that of the cumulative shares; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(np.cumsum(observed) / observed.sum() - np.cumsum(reference) / reference.sum()).max())


def total_variation(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the total variation distance; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(observed / observed.sum() - reference / reference.sum()).sum() / 2)


KOLMOGOROV_SMIRNOV = Distance(StatisticName.KS, ks, categorical=False)
TOTAL_VARIATION = Distance(StatisticName.TOTAL_VARIATION, total_variation, categorical=True)
