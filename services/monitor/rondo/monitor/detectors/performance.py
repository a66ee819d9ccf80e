"""ROC AUC of a window from two histograms of the scores, one per outcome, and whether it is significantly lower.

The histograms have fixed, narrow bins, so they merge by addition and the area costs one pass over the bins. Scores in
one bin count as ties (half): the error is at most half the probability that a pair shares a bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.statistics import normal_quantile, normal_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Performance:
    """The AUC of a window and of the holdout. `noise` is the drop that chance alone explains."""

    labelled_rows: int
    observed: float
    reference: float
    noise: float
    threshold: float
    p_value: float | None = None

    @property
    def degraded(self) -> bool:
        return self.observed < self.threshold

    @property
    def statistic(self) -> Statistic:
        return Statistic(
            statistic=StatisticName.ROC_AUC,
            value=self.observed,
            reference=self.reference,
            threshold=self.threshold,
            p_value=self.p_value,
        )


def roc_auc(scores: NDArray[np.int64]) -> float | None:
    """Return the probability that a positive has a higher score than a negative; None when one class is absent."""
    negatives, positives = scores
    pairs = int(negatives.sum()) * int(positives.sum())
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def standard_error(auc: float, positives: float, negatives: float) -> float:
    """Return the standard error of an AUC (Hanley and McNeil, Radiology 1982, formula 2)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return sqrt(max(0.0, variance) / (positives * negatives))


def assess(
    scores: NDArray[np.int64], reference: float, reference_error: float, drop: float, tail: float
) -> Performance | None:
    """Compare a window's AUC with the holdout's; None without both classes.

    Degraded is a drop larger than `drop` and larger than what two samples differ by with probability `tail`.
    """
    observed = roc_auc(scores)
    if observed is None:
        return None
    negatives, positives = (int(count) for count in scores.sum(axis=1))
    error = sqrt(standard_error(observed, positives, negatives) ** 2 + reference_error**2)
    noise = normal_quantile(tail) * error
    return Performance(
        positives + negatives,
        observed,
        reference,
        noise,
        threshold=reference - max(drop, noise),
        p_value=normal_tail((reference - observed) / error) if error else None,
    )
