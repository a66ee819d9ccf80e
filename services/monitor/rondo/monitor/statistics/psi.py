"""Population stability index (PSI) of each column against the reference, on the bins.

Without any change, the PSI of n rows against m reference rows is about (1/n + 1/m) times the number of bins less one
(Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University 2018): with few rows it
is large by chance. Missing values are left out: `missing` covers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import distributions, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Half a row in every bin (Jeffreys' prior), so that an empty bin has a logarithm.
SMOOTHING = 0.5


class PopulationStability:
    """Yields the index of each column."""

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for column in reference.binning.columns:
            value = psi(*pool(*distributions(column, window, reference)))
            yield Statistic(feature=column.name, statistic=StatisticName.PSI, value=value)


def psi(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the population stability index; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    p, q = observed + SMOOTHING, reference + SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())
