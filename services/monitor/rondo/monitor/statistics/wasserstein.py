"""The Wasserstein distance of each column with an order, in ranks of the reference: 0 to 1.

The outer bins are unbounded, so their values have no position in the unit of the column. Ranks replace the values: each
bin is at the middle of its share of the reference. A distance of 0.1 means that values have moved by a tenth of all
ranks on average.

On a line it is the area between the cumulative distributions (Vallender, "Calculation of the Wasserstein distance
between probability distributions on the line", Theory of Probability and Its Applications 18, 1974).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import shares
from rondo.monitor.statistics.column_distance import Distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wasserstein(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the area between the cumulative shares, over the positions of the bins."""
    p, q = shares(observed), shares(reference)
    positions = np.cumsum(q, axis=-1) - q / 2
    apart = np.abs(np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1))[..., :-1]
    return np.asarray((apart * np.diff(positions)).sum(axis=-1))


WASSERSTEIN = Distance(StatisticName.WASSERSTEIN, wasserstein, categorical=False)
