"""The mean loss from few outcomes and the predictions of all rows.

The method is prediction-powered inference (Angelopoulos et al., Science 2023) with the weight that minimizes the
variance (Angelopoulos, Duchi and Zrnic, "PPI++", 2023). The expected loss of the rows without an outcome is corrected
by the error of the expected loss on the rows with one. If the expected losses are not informative, the weight is 0, and
the result is the mean loss of the rows with an outcome.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.sketches import Figure
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.tasks.binned_figures import BinnedFigures

ASSUMPTION = "the rows with an outcome are a random sample of all"
FEWEST_ROWS = 30


def prediction_powered(
    figures: BinnedFigures, predicted: NDArray[np.int64], labelled: NDArray[np.float64]
) -> Figure | None:
    """Return the mean loss. None unless at least 30 rows, and less than half of them, have an outcome.

    `predicted` are all rows by bin of the prediction, shape `[bins]`. `labelled` has the rows with an outcome by bin,
    the sums of their losses, and the sums of the squared losses, shape `[3, bins]`.
    """
    rows, losses, squares = (figures.grouped(each) for each in labelled)
    others = np.maximum(figures.grouped(predicted) - rows, 0.0)
    few, many = float(rows.sum()), float(others.sum())
    if not FEWEST_ROWS <= few < many:
        return None
    expected = figures.means[StatisticName.LOSS]
    mean, of_labelled, of_others = losses.sum() / few, rows @ expected / few, others @ expected / many
    spread = max(float(rows @ expected**2 / few - of_labelled**2), 0.0)
    spread_of_others = max(float(others @ expected**2 / many - of_others**2), 0.0)
    together = losses @ expected / few - mean * of_labelled
    ratio = few / many
    weight = float(np.clip(together / (spread + ratio * spread_of_others), 0, 1)) if spread > 0 else 0.0
    value = mean + weight * (of_others - of_labelled)
    variance = max(squares.sum() / few - mean**2, 0.0) - 2 * weight * together + weight**2 * spread
    return Figure(float(value), sqrt(max(variance, 0.0) / few + weight**2 * spread_of_others / many))
