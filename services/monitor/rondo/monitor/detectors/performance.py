"""The metrics of a window's labelled rows against those of the holdout, by the performance sketch of the model's task.

The task's primary metric is judged, and the coverage of the prediction interval if there is one; the other figures are
for information. The sketch gives the standard errors.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.tasks.registry import METRICS, task_named
from rondo.contracts.training_evidence import PerformanceFigure
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.probabilities import normal_quantile, normal_tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.model import Monitor
    from rondo.contracts.tasks.sketches import Figure
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class Performance:
    """Exceeds by a loss larger than the spec's `monitor.performance_drop`, and larger than chance explains.

    Of a relative metric, such as MAE, the spec's figure is a share of the reference. A metric that is not defined on
    the window, such as ROC AUC with outcomes of one class only, has no result.
    """

    kind: FindingKind = "performance"

    def tests(self, reference: Reference) -> int:
        return len(_judged(reference))

    def evaluate(
        self, window: WindowCounts, reference: Reference, rule: Monitor, tail: float
    ) -> Iterator[DetectorResult]:
        judged = _judged(reference)
        for name, figure in window.figures.items():
            if name in judged:
                yield _compared(name, figure, judged[name], rule.performance_drop, normal_quantile(tail))
            else:
                expected = reference.performance.get(name)
                statistic = Statistic(
                    statistic=name, value=figure.value, reference=None if expected is None else expected.value
                )
                yield DetectorResult(statistic)


def undecided(reference: Reference) -> str:
    """Return why the primary metric has no result on a window that has outcomes."""
    primary = task_named(reference.task.task).primary
    if primary not in reference.performance:
        return f"no {METRICS[primary].title} of the holdout to compare with"
    return "outcomes of one class only" if primary == StatisticName.ROC_AUC else f"no {METRICS[primary].title}"


def _judged(reference: Reference) -> Mapping[str, PerformanceFigure]:
    """Return what each judged metric is compared with.

    An interval is compared with its stated coverage. The holdout, whose residuals gave its width, covers as much; how
    far that may be from the truth is the error of the holdout's coverage.
    """
    primary, interval = task_named(reference.task.task).primary, reference.task.interval
    found = {primary: reference.performance[primary]} if primary in reference.performance else {}
    if interval is not None:
        holdout = reference.performance.get(StatisticName.INTERVAL_COVERAGE)
        error = holdout.error if holdout else None
        found[StatisticName.INTERVAL_COVERAGE] = PerformanceFigure(value=interval.coverage, error=error)
    return found


def _compared(name: str, figure: Figure, expected: PerformanceFigure, drop: float, quantile: float) -> DetectorResult:
    metric = METRICS[name]
    error = sqrt((figure.error or 0.0) ** 2 + (expected.error or 0.0) ** 2)
    by_spec, chance = metric.worse_by(expected.value, drop), quantile * error
    higher, lower = max(by_spec, expected.value + chance), min(by_spec, expected.value - chance)
    threshold = lower if metric.higher_is_better else higher
    statistic = Statistic(
        statistic=name,
        value=figure.value,
        reference=expected.value,
        threshold=threshold,
        p_value=normal_tail(metric.loss(figure.value, expected.value) / error) if error else None,
    )
    return DetectorResult(statistic, metric.is_worse(figure.value, threshold))
