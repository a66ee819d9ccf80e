"""The mean loss from few outcomes and the predictions of all rows.

By prediction-powered inference (Angelopoulos et al., Science 2023) with the weight that makes the variance least
(Angelopoulos, Duchi and Zrnic, "PPI++", 2023): what is to be expected of the rows without an outcome is corrected by
how far it was off on those with one. Where the holdout says nothing of the losses, the weight is 0, and it is their
mean.
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
    """Return the mean loss of rows of which less than half, and 30 at least, have an outcome. Else None.

    `predicted` are all rows by bin of the prediction, shape `[bins]`, and `labelled` the rows with an outcome, their
    losses and the squares of these, shape `[3, bins]`.
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
