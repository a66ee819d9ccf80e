"""What a score means: the probability of outcome 1 for each bin of scores, learned from the holdout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Calibration:
    """The probability of outcome 1 in each bin of scores, shape `[bins]`, never falling; bins divide [0, 1] equally.

    It was learned from so many `positives` and `negatives`.
    """

    probabilities: NDArray[np.float64]
    positives: int
    negatives: int


def centres(bins: int) -> NDArray[np.float64]:
    """Return the middle of each bin of scores."""
    return (np.arange(bins) + 0.5) / bins


def calibrate(counts: NDArray[np.int64]) -> Calibration | None:
    """Learn from the counts of labelled rows by outcome and bin of score, as `ScoreHistograms` has them.

    By isotonic regression (Zadrozny, Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates", KDD 2002). Between bins that hold rows it is linear. None where an outcome is missing.
    """
    negatives, positives = counts.reshape(2, -1)
    rows = negatives + positives
    if not negatives.any() or not positives.any():
        return None
    held = np.flatnonzero(rows)
    fitted = isotonic_regression(positives[held] / rows[held], weights=rows[held].astype(np.float64)).x
    probabilities = np.interp(np.arange(len(rows)), held, fitted)
    return Calibration(probabilities, int(positives.sum()), int(negatives.sum()))
