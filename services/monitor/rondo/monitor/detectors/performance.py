"""ROC AUC of a window from two histograms of the scores, one per outcome, and whether it is significantly lower.

The histograms have fixed, narrow bins, so they merge by addition and the area costs one pass over the bins. Scores in
one bin count as ties (half): the error is at most half the probability that a pair shares a bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.detectors.statistics import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRIC = "roc_auc"


@dataclass(frozen=True)
class Performance:
    """The AUC of a window and of the holdout. `noise` is the drop that chance alone explains."""

    labelled_rows: int
    observed: float
    reference: float
    noise: float
    degraded: bool


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
        positives + negatives, observed, reference, noise, degraded=reference - observed > max(drop, noise)
    )
