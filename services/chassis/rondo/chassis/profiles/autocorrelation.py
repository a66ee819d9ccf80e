"""The integrated autocorrelation time of a column's components: the number of rows over which they are correlated.

It is estimated at several scales: white noise hides a slow component at lag 1, but the means of longer stretches show
it. The small-sample bias (Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 1954) is corrected,
and one standard error is added.
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
    """Return the autocorrelation time in rows, the largest over components and scales. 1 if rows are independent.

    `means` are the means of consecutive stretches of `rows` rows, shape `[components, stretches]`. Only scales of fewer
    than `below` rows are used.
    """
    longest = 1.0
    while means.shape[1] >= FEWEST_MEANS and rows < below:
        longest = max(longest, rows * _time(means))
        count = means.shape[1] // _SCALE_STEP
        # A product is many times as fast as `mean` over such a short axis.
        means = means[:, : count * _SCALE_STEP].reshape(len(means), count, _SCALE_STEP) @ _EQUALLY
        rows *= _SCALE_STEP
    return longest


def autocorrelation_time_of_bins(values: NDArray[np.float64], bins: NDArray[np.int64], below: float) -> float:
    """Return `autocorrelation_time` of components that are functions of the bin of a row.

    `values` has the components of each bin, shape `[bins, components]`, and `bins` the bin of each row in order. At the
    scale of single rows, pairs of consecutive bins are counted once for all components.
    """
    if not values.size or len(bins) < FEWEST_MEANS or below <= 1:
        return 1.0
    # Most bins of a categorical column have the same components.
    values, group = np.unique(values, axis=0, return_inverse=True)
    codes, size = group.reshape(-1).take(bins), len(values)
    neighbours = codes[:-1] * size
    neighbours += codes[1:]
    pairs = np.bincount(neighbours, minlength=size * size).reshape(size, size)
    rows = pairs.sum(axis=1)
    rows[codes[-1]] += 1
    centred = values - (rows @ values) / len(bins)
    of_rows = _largest_time(rows @ centred**2, (centred * (pairs @ centred)).sum(axis=0), len(bins))
    quarters = len(bins) // _SCALE_STEP
    former, latter = (neighbours[at::_SCALE_STEP][:quarters] for at in (0, 2))
    shares = ((values[:, None] + values) / _SCALE_STEP).reshape(size * size, -1).T
    means = np.array([share.take(former) + share.take(latter) for share in shares])
    return max(1.0, of_rows, autocorrelation_time(means, _SCALE_STEP, below))


def _time(means: NDArray[np.float64]) -> float:
    """Return the largest autocorrelation time of the components, in stretches. 0 if no correlation is significant."""
    centred = means - means.mean(axis=1, keepdims=True)
    squares = np.einsum("cs,cs->c", centred, centred)
    products = np.einsum("cs,cs->c", centred[:, 1:], centred[:, :-1])
    return _largest_time(squares, products, means.shape[1])


def _largest_time(squares: NDArray[np.float64], products: NDArray[np.float64], count: int) -> float:
    """Return the same as `_time`, from each component's sums of squares and of products of neighbours."""
    lag1 = np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    certain = lag1 > 2.5 / math.sqrt(count)
    if not certain.any():
        return 0.0
    worst = float(lag1[certain].max())
    upper = min(worst + (1 + 3 * worst) / count + math.sqrt((1 - worst**2) / count), _LARGEST)
    return float((1 + upper) / (1 - upper))
