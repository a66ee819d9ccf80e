"""The metrics of one probability, as formulas: ROC AUC, average precision, log loss and Brier score.

They are those of scikit-learn to the bit, without weights. scikit-learn checks its arguments, counts their classes and
expands them to one column for each class, which takes most of its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Curve:
    """The numbers of positive and negative rows at each threshold or above, from the highest threshold on."""

    positives: Vector
    negatives: Vector

    @classmethod
    def of(cls, labels: NDArray[np.int64], scores: NDArray[np.floating]) -> Curve:
        """Return the curve of labels 0 and 1, in order of their scores, the highest first. Shape of both: `[rows]`."""
        # A threshold includes all rows with the same score.
        ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
        positives = np.cumsum(labels)[ends].astype(np.float64)
        return cls(positives, 1 + ends.astype(np.float64) - positives)

    def roc_auc(self) -> float:
        """Return the area under the ROC curve. There are rows of both classes."""
        corners = np.logical_or(np.diff(self.positives, 2), np.diff(self.negatives, 2))
        # The first and the last point are corners, and points between corners do not change the area.
        kept = np.concatenate([[True], corners, [True]]) if len(corners) else slice(None)
        shares = (np.concatenate([[0.0], counts[kept]]) / counts[-1] for counts in (self.positives, self.negatives))
        return float(np.trapezoid(*shares))

    def average_precision(self) -> float:
        """Return the mean of the precision, weighted by the gain in recall. There is a positive row."""
        precision = np.flip(self.positives / (self.positives + self.negatives))
        recall = np.append(np.flip(self.positives / self.positives[-1]), 0.0)
        return float(max(0.0, -np.sum(np.diff(recall) * precision)))


def log_loss(targets: NDArray[np.int64], chance: Vector) -> float:
    """Return the mean negative logarithm of the probability of each row's class. `chance` is that of class 1."""
    of_own = np.where(targets == 1, chance, 1 - chance)
    return float(np.mean(-np.log(np.clip(of_own, _EPSILON, 1 - _EPSILON))))


def brier(targets: NDArray[np.int64], chance: Vector) -> float:
    """Return the mean squared distance of probability and class. `chance` is the probability of class 1."""
    positive = (targets == 1).astype(np.float64)
    return float(np.mean(((1 - positive) - (1 - chance)) ** 2 + (positive - chance) ** 2) * 0.5)
