"""A distance of a column's distribution from that of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.statistics.bin_pooling import Distributions, of_columns, pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.vocabularies import StatisticName
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class Distance:
    """Yields `statistic` of the columns with categories, of the columns without, or of all if `categorical` is None.

    `distance` takes the counts by bin in the window and in the reference, shape `[..., bins]` each. Unless the bins
    have an order, those with few expected rows are pooled. The distance is 0 if either side has no rows.
    """

    statistic: StatisticName
    distance: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
    categorical: bool | None

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        def distance(counts: Distributions) -> NDArray[np.float64]:
            pooled = counts if self.categorical is False else pool(counts)
            return self.distance(pooled.observed, pooled.reference)

        for name, value in of_columns(distance, window, reference, self.categorical).items():
            yield Statistic(feature=name, statistic=self.statistic, value=value)
