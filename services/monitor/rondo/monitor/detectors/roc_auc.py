"""ROC AUC of a window from two histograms of the scores, one per outcome, against that of the holdout.

The histograms have fixed, narrow bins, so they merge by addition and the area costs one pass over the bins. Scores in
one bin count as ties (half): the error is at most half the probability that a pair shares a bin.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.statistics import normal_quantile, normal_tail, roc_auc_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class RocAuc:
    """Exceeds by a drop larger than the spec's `monitor.performance_drop`, and larger than chance explains.

    Without outcomes of both classes there is no result.
    """

    kind: FindingKind = "performance"

    def tests(self, reference: Reference) -> int:  # noqa: ARG002 - the protocol's
        return 1

    def evaluate(
        self, window: WindowCounts, reference: Reference, rule: Monitor, tail: float
    ) -> Iterator[DetectorResult]:
        value = roc_auc(window.scores)
        if value is None:
            return
        negatives, positives = (int(count) for count in window.scores.sum(axis=1))
        error = sqrt(roc_auc_error(value, positives, negatives) ** 2 + reference.roc_auc_error**2)
        threshold = reference.roc_auc - max(rule.performance_drop, normal_quantile(tail) * error)
        statistic = Statistic(
            statistic=StatisticName.ROC_AUC,
            value=value,
            reference=reference.roc_auc,
            threshold=threshold,
            p_value=normal_tail((reference.roc_auc - value) / error) if error else None,
        )
        yield DetectorResult(statistic, value < threshold)


def roc_auc(scores: NDArray[np.int64]) -> float | None:
    """Return the probability that a positive has a higher score than a negative; None when one class is absent."""
    negatives, positives = scores
    pairs = int(negatives.sum()) * int(positives.sum())
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)
