"""The Jensen-Shannon distance of each column, 0 to 1.

It is the square root of the divergence to the base 2 (Endres and Schindelin, "A new metric for probability
distributions", IEEE Transactions on Information Theory 49, 2003). In contrast to the population stability index it is
bounded, and needs no smoothing of empty bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.bin_pooling import shares
from rondo.monitor.statistics.column_distance import Distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jensen_shannon(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    p, q = shares(observed), shares(reference)
    middle = (p + q) / 2
    divergence = (_entropy(middle) - (_entropy(p) + _entropy(q)) / 2) / np.log(2)
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))  # rounding may make it negative


def _entropy(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(entr(parts).sum(axis=-1))


JENSEN_SHANNON = Distance(StatisticName.JENSEN_SHANNON, jensen_shannon, categorical=None)
