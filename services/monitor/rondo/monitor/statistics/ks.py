"""The Kolmogorov-Smirnov distance of each column with an order: that of the cumulative shares, 0 to 1.

See Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical Statistics
19, 1948. It is computed at the edges of bins, so it is at most the distance between the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.column_distance import Distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ks(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest difference of the cumulative shares."""
    p, q = (np.cumsum(each, axis=-1) / each.sum(axis=-1, keepdims=True) for each in (observed, reference))
    return np.asarray(np.abs(p - q).max(axis=-1))


KOLMOGOROV_SMIRNOV = Distance(StatisticName.KS, ks, categorical=False)
