"""The performance to be expected of rows without outcomes, from the counts of their scores.

Each row counts as positive by its calibrated probability, and as negative by the rest (confidence-based performance
estimation, of NannyML 0.4; for the accuracy: Guillory et al., "Predicting with confidence on unseen distributions",
ICCV 2021). Nothing is done for a single row, so the cost does not grow with the rows.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.binary import roc_auc_error
from rondo.contracts.tasks.sketches import Figure
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.estimates.calibration import centres

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.monitor.estimates.calibration import Calibration

# As the loss of `Task.losses` for binary outcomes.
_LEAST_CHANCE = 0.01


def score_counts(scores: NDArray[np.float32], bins: int) -> NDArray[np.int64]:
    """Count scores into bins, shape `[bins]`, by the rule of `ScoreHistograms`. NaN does not count."""
    places = np.clip((scores[np.isfinite(scores)].astype(np.float64) * bins).astype(np.int64), 0, bins - 1)
    return np.bincount(places, minlength=bins)


def expected_performance(calibration: Calibration, counts: NDArray[np.int64], threshold: float) -> Mapping[str, Figure]:
    """Return ROC AUC, accuracy and loss to be expected of rows with these counts of scores, shape `[bins]`.

    A score of `threshold` or more is a predicted 1. The loss is that of `Task.losses`, between 0 and 1. A standard
    error holds the chance of these rows' outcomes and of the holdout's. There are no figures without rows.
    """
    rows = int(counts.sum())
    if not rows:
        return {}
    probable = calibration.probabilities
    positives, negatives = counts * probable, counts * (1 - probable)
    right = _right(probable, threshold)
    losses, varying = _losses(probable)
    figures = {
        "accuracy": _mean(right, right * (1 - right), counts, calibration),
        StatisticName.LOSS: _mean(losses, varying, counts, calibration),
    }
    p, n = float(positives.sum()), float(negatives.sum())
    if min(p, n) >= 1:
        below = np.cumsum(negatives) - negatives
        auc = float((positives * (below + negatives / 2)).sum() / (p * n))
        of_holdout = roc_auc_error(auc, calibration.positives, calibration.negatives)
        figures[StatisticName.ROC_AUC] = Figure(auc, sqrt(roc_auc_error(auc, p, n) ** 2 + of_holdout**2))
    return figures


def _right(probable: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return the probability of a right prediction by bin; the bin of the threshold is divided in proportion."""
    bins = len(probable)
    above = np.clip(np.arange(1, bins + 1) - threshold * bins, 0.0, 1.0)
    return np.asarray(above * probable + (1 - above) * (1 - probable))


def _losses(probable: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the expected loss and its variance by bin of a score at its middle."""
    score = np.clip(centres(len(probable)), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    if_one, if_zero = np.log(score) / np.log(_LEAST_CHANCE), np.log1p(-score) / np.log(_LEAST_CHANCE)
    return probable * if_one + (1 - probable) * if_zero, probable * (1 - probable) * (if_one - if_zero) ** 2


def _mean(
    values: NDArray[np.float64], variances: NDArray[np.float64], counts: NDArray[np.int64], calibration: Calibration
) -> Figure:
    """Return the mean over rows of a figure of which bins give expectation and variance."""
    rows, of_holdout = int(counts.sum()), calibration.positives + calibration.negatives
    variance = float(counts @ variances) / rows
    return Figure(float(counts @ values) / rows, sqrt(variance / rows + variance / of_holdout))
