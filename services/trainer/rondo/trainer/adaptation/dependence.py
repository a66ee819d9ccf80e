"""Over how many consecutive rows labels depend on each other, so that these count as one row and no more.

Rows that share a day, a storm or a season share what the features do not say. A model of one day predicts the rest of
that day well, and mean losses of days differ by far more than those of as many independent rows. The labels of the
window show how long that lasts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Standard errors of fewer independent blocks say little.
FEWEST_BLOCKS = 5
# To some of these a model of the rows since a change is fitted, and others confirm it.
BLOCKS_OF_CHANGE = 10
_FEWEST_MEANS = 4
_SCALE_STEP = 4
# A change of the level is a large correlation in one group of means. Days, storms and waves are in many.
_GROUP, _FEWEST_GROUPS, _LEFT_OUT = 10, 8, 1
# A correlation that is larger is of longer stretches, too.
_LARGEST = 0.9
_STANDARD_ERRORS = 2.5


def dependent_rows(labels: NDArray[np.float64] | NDArray[np.bool_] | None) -> float:
    """Return over how many rows labels depend on each other, 1 where they are independent or not known.

    `labels` are in order of event time, shape `[series, rows]`: an indicator for each class, or ranks of numbers. It is
    the integrated autocorrelation time, the largest over series and scales: noise hides at lag 1 what the means of
    longer stretches show. Correlations are those within groups of ten stretches, but for the group that varies most,
    with their small-sample bias (Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 1954) and one
    standard error added. So a level that changes once, or slowly, counts as no dependence.
    """
    # One series at a time: those of many rows and classes would take as much room as the features.
    return max((_longest(each) for each in (() if labels is None else labels)), default=1.0)


def rows_of_blocks(dependent: float, blocks: int) -> int:
    """Return the rows of so many independent blocks. 0 where rows are independent."""
    return math.ceil(dependent * blocks) if dependent > 1 else 0


def inflation(dependent: float, rows: float) -> float:
    """Return how much larger the standard error of means of `rows` rows is, where they depend over more than these."""
    return math.sqrt(max(1.0, dependent / rows))


def block_means(values: NDArray[np.float64], dependent: float) -> NDArray[np.float64]:
    """Return the means of consecutive blocks of about as many rows as depend on each other, of four at least."""
    blocks = max(_FEWEST_MEANS, int(len(values) / dependent))
    return np.array([part.mean() for part in np.array_split(values, min(blocks, len(values)))])


def _longest(means: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    """Return the largest autocorrelation time of a series over all scales, in rows."""
    longest, rows = 1.0, 1
    while len(means) >= _GROUP * _FEWEST_GROUPS:
        longest = max(longest, rows * _time(means))
        means = means[len(means) % _SCALE_STEP :].reshape(-1, _SCALE_STEP).mean(axis=1)
        rows *= _SCALE_STEP
    return longest


def _time(means: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    """Return the autocorrelation time of a series, in means. 0 where no correlation is certain."""
    groups = means[len(means) % _GROUP :].reshape(-1, _GROUP)
    centred = groups - groups.mean(axis=1, keepdims=True)
    products = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) * _GROUP / (_GROUP - 1)
    return _time_of((centred**2).sum(axis=1), products)


def _time_of(squares: NDArray[np.float64], products: NDArray[np.float64]) -> float:
    """Return the autocorrelation time by the squares and the products of neighbours of each group."""
    kept = np.argsort(squares, kind="stable")[:-_LEFT_OUT]
    squares, products = squares[kept], products[kept]
    if squares.sum() <= _GROUP * np.finfo(float).eps:
        return 0.0
    found = float(products.sum() / squares.sum())
    found += (1 + 3 * found) / _GROUP
    # Of groups that differ in their variance, as many as count.
    pairs = (_GROUP - 1) * float(squares.sum() ** 2 / (squares**2).sum())
    if found <= _STANDARD_ERRORS / math.sqrt(pairs):
        return 0.0
    upper = min(found + math.sqrt(max(1 - found**2, 0.0) / pairs), _LARGEST)
    return (1 + upper) / (1 - upper)
