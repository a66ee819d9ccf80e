"""Evaluates one window: every figure, and which of them exceed both the spec's thresholds and chance.

`spec.monitor.false_alarm_rate` is divided: a third for each kind of finding, and that evenly over the columns
(Bonferroni, "Teoria statistica delle classi e calcolo delle probabilità", 1936). By the union bound, the probability
that a window without any change exceeds a threshold is at most that rate, however the columns depend on each other.
Rows are assumed independent: where they are not (a week's weather), the spec's own threshold has to be wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.detectors import data_quality, performance, population_drift
from rondo.monitor.detectors.base import FINDING_KINDS

if TYPE_CHECKING:
    from rondo.contracts.events.monitoring import Statistic
    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.performance import Performance
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class WindowResult:
    """The figures of a window. Without `enough` rows (`enough_labelled` ones), by `min_rows`, nothing is decided."""

    distances: tuple[Statistic, ...]
    problems: tuple[Statistic, ...]
    performance: Performance | None
    enough: bool
    enough_labelled: bool

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """Every figure of the window."""
        return (*self.distances, *self.problems, *self._performance)

    def found(self, kind: FindingKind) -> tuple[Statistic, ...]:
        """The figures of a finding: drift by descending distance, then the other distances of the same columns."""
        if kind == "performance":
            return self._performance
        return self._drifted if kind == "drift" else self.problems

    @property
    def _performance(self) -> tuple[Statistic, ...]:
        return (self.performance.statistic,) if self.performance else ()

    @property
    def _drifted(self) -> tuple[Statistic, ...]:
        over = [each for each in self.distances if each.threshold is not None and each.value > each.threshold]
        columns = {each.feature for each in over}
        others = [each for each in self.distances if each.threshold is None and each.feature in columns]
        return (*sorted(over, key=lambda each: -each.value), *others)

    def exceeded(self, kind: FindingKind) -> bool | None:
        """Return whether the window exceeds a threshold; None where it has too few rows to decide."""
        if kind == "performance":
            return self.performance.degraded if self.performance and self.enough_labelled else None
        if not self.enough:
            return None
        return bool(self.found(kind))


def evaluate_window(counts: WindowCounts, reference: Reference, rule: Monitor) -> WindowResult:
    """Compare a window with its reference."""
    share = rule.false_alarm_rate / len(FINDING_KINDS)
    columns = reference.binning.columns
    tail = share / len(columns)
    bins = counts.bins
    return WindowResult(
        tuple(d for each in columns for d in population_drift.compare(each, bins, reference.counts, rule.drift, tail)),
        tuple(p for each in columns for p in data_quality.problems(each, bins, reference.counts, tail / 2)),
        performance.assess(counts.scores, reference.roc_auc, reference.roc_auc_error, rule.performance_drop, share),
        enough=counts.rows >= rule.min_rows,
        enough_labelled=counts.labelled_rows >= rule.min_rows,
    )
