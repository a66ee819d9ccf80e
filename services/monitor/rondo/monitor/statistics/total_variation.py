"""The total variation distance of each column with categories, 0 to 1.

It is the largest difference in the share of any set of categories. For values without an order it corresponds to the
Kolmogorov-Smirnov distance.

Its relation to other distances: Gibbs and Su, "On choosing and bounding probability metrics", International Statistical
Review 70, 2002.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import shares
from rondo.monitor.statistics.column_distance import Distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def total_variation(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(shares(observed) - shares(reference)).sum(axis=-1) / 2)


TOTAL_VARIATION = Distance(StatisticName.TOTAL_VARIATION, total_variation, categorical=True)
