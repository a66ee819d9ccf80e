"""Over how many rows the values of a column are correlated: the integrated autocorrelation time of its components.

It is estimated at several scales: white noise hides a slow component at lag 1, and the means of longer stretches show
it. The estimate has its small-sample bias (Kendall, "Note on bias in the estimation of autocorrelation", Biometrika
1954) and one standard error added.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_MEANS = 40
"""The fewest means from which a correlation or a skewness is estimated."""
_SCALE_STEP = 4
_EQUALLY = np.full(_SCALE_STEP, 1 / _SCALE_STEP)
_LARGEST = 0.9999


def autocorrelation_time(means: NDArray[np.float64], rows: float, below: float = math.inf) -> float:
    """Return the autocorrelation time in rows, the largest over components and scales; 1 where rows are independent.

    `means` are of consecutive stretches of `rows` rows, shape `[components, stretches]`. The scales are those of fewer
    than `below` rows.
    """
    longest = 1.0
    while means.shape[1] >= FEWEST_MEANS and rows < below:
        longest = max(longest, rows * _time(means))
        count = means.shape[1] // _SCALE_STEP
        # A product is many times as fast as `mean` over so short an axis.
        means = means[:, : count * _SCALE_STEP].reshape(len(means), count, _SCALE_STEP) @ _EQUALLY
        rows *= _SCALE_STEP
    return longest


def _time(means: NDArray[np.float64]) -> float:
    """Return the largest autocorrelation time of the components, in stretches; 0 where no correlation is certain."""
    count = means.shape[1]
    centred = means - means.mean(axis=1, keepdims=True)
    squares = np.einsum("cs,cs->c", centred, centred)
    products = np.einsum("cs,cs->c", centred[:, 1:], centred[:, :-1])
    lag1 = np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    certain = lag1 > 2.5 / math.sqrt(count)
    if not certain.any():
        return 0.0
    worst = float(lag1[certain].max())
    upper = min(worst + (1 + 3 * worst) / count + math.sqrt((1 - worst**2) / count), _LARGEST)
    return float((1 + upper) / (1 - upper))
