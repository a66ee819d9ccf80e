"""Measures over how many consecutive rows labels are correlated. That many rows count as one independent row.

Rows of the same day, storm or season share influences that no feature has. A model of one day predicts the rest of
that day well, and mean losses of days differ by far more than those of as many independent rows. The labels of the
window show how long such an influence lasts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A standard error from fewer independent blocks is too uncertain.
FEWEST_BLOCKS = 5
# A model of the rows since a change is fitted to some of these blocks. The others confirm it.
BLOCKS_OF_CHANGE = 10
_FEWEST_MEANS = 4
_SCALE_STEP = 4
# A single change of the level makes the correlation of one group of means large. Recurring influences are in many.
_GROUP, _FEWEST_GROUPS, _LEFT_OUT = 10, 8, 1
# A larger correlation also shows at the next scale, in the means of longer stretches.
_LARGEST = 0.9
_STANDARD_ERRORS = 2.5


def dependent_rows(labels: NDArray[np.float64] | NDArray[np.bool_] | None) -> float:
    """Return the integrated autocorrelation time of labels in rows. 1 if they are independent or not known.

    `labels` are in order of event time, shape `[series, rows]`: an indicator for each class, or ranks of numbers. The
    result is the largest over series and scales, because noise hides a correlation at lag 1 that means of longer
    stretches show. A correlation is estimated within groups of ten stretches, without the group that varies most. The
    small-sample bias (Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 1954) is corrected, and
    one standard error is added. So a level that changes once, or slowly, counts as no dependence.
    """
    # One series at a time: float64 copies of all of them would take as much memory as the features.
    return max((_longest(each) for each in (() if labels is None else labels)), default=1.0)


def rows_of_blocks(dependent: float, blocks: int) -> int:
    """Return the number of rows in `blocks` independent blocks. 0 where rows are independent."""
    return math.ceil(dependent * blocks) if dependent > 1 else 0


def inflation(dependent: float, rows: float) -> float:
    """Return the factor by which dependence over more than `rows` rows increases the standard error of their means."""
    return math.sqrt(max(1.0, dependent / rows))


def block_means(values: NDArray[np.float64], dependent: float) -> NDArray[np.float64]:
    """Return the means of consecutive blocks of about `dependent` rows each. There are four blocks at least."""
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
    """Return the autocorrelation time of a series, in elements of `means`. 0 where no correlation is significant."""
    groups = means[len(means) % _GROUP :].reshape(-1, _GROUP)
    centred = groups - groups.mean(axis=1, keepdims=True)
    products = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) * _GROUP / (_GROUP - 1)
    return _time_of((centred**2).sum(axis=1), products)


def _time_of(squares: NDArray[np.float64], products: NDArray[np.float64]) -> float:
    """Return the autocorrelation time from each group's sums of squares and of products of neighbours."""
    kept = np.argsort(squares, kind="stable")[:-_LEFT_OUT]
    squares, products = squares[kept], products[kept]
    if squares.sum() <= _GROUP * np.finfo(float).eps:
        return 0.0
    found = float(products.sum() / squares.sum())
    found += (1 + 3 * found) / _GROUP
    # The effective number of pairs: groups with a small variance contribute less.
    pairs = (_GROUP - 1) * float(squares.sum() ** 2 / (squares**2).sum())
    if found <= _STANDARD_ERRORS / math.sqrt(pairs):
        return 0.0
    upper = min(found + math.sqrt(max(1 - found**2, 0.0) / pairs), _LARGEST)
    return (1 + upper) / (1 - upper)
