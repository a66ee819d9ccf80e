"""Evaluates one window: every statistic, and which of them exceed both the spec's thresholds and chance.

`spec.monitor.false_alarm_rate` is divided: a third for each kind of finding, and that evenly over the tests of its
detectors (Bonferroni, "Teoria statistica delle classi e calcolo delle probabilità", 1936). By the union bound, the
probability that a window without any change exceeds a threshold is at most that rate, however the columns depend on
each other. Rows are assumed independent: where they are not (a week's weather), the spec's own threshold has to be
wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.detectors.base import FINDING_KINDS
from rondo.monitor.detectors.catalogue import DETECTORS
from rondo.monitor.detectors.performance import undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rondo.contracts.events.monitoring import Statistic
    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import Detector, DetectorResult, FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class WindowResult:
    """The results of a window by kind. Below `min_rows` rows (for the performance: outcomes) nothing is decided.

    `undecided` is why the performance of a window with enough outcomes has no result.
    """

    results: Mapping[FindingKind, tuple[DetectorResult, ...]]
    rows: int
    labelled_rows: int
    min_rows: int
    undecided: str = ""

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """Every statistic of the window; what exceeds its threshold comes first."""
        results = (each for results in self.results.values() for each in results)
        return tuple(each.statistic for each in sorted(results, key=lambda each: not each.exceeded))

    @property
    def no_verdict(self) -> str | None:
        """Why nothing, or not the performance, is decided, such as `336 of 500 rows`."""
        if self.rows < self.min_rows:
            return f"{self.rows} of {self.min_rows} rows"
        if self.labelled_rows < self.min_rows:
            return f"{self.labelled_rows} of {self.min_rows} outcomes"
        return None if self._judged("performance") else self.undecided

    def exceeded(self, kind: FindingKind) -> bool | None:
        """Return whether the window exceeds a threshold; None if that is not decided."""
        if kind == "performance" and (self.labelled_rows < self.min_rows or not self._judged(kind)):
            return None
        if kind != "performance" and self.rows < self.min_rows:
            return None
        return any(each.exceeded for each in self.results[kind])

    def found(self, kind: FindingKind) -> tuple[Statistic, ...]:
        """Return what exceeds its threshold, the farthest first, and then the other statistics of these features."""
        exceeding = [each.statistic for each in self.results[kind] if each.exceeded]
        features = {each.feature for each in exceeding}
        others = [each.statistic for each in self.results[kind] if each.exceeded is None]
        return (
            *sorted(exceeding, key=_distance, reverse=True),
            *(each for each in others if each.feature in features),
        )

    def _judged(self, kind: FindingKind) -> bool:
        return any(each.exceeded is not None for each in self.results[kind])


def evaluate_window(
    window: WindowCounts, reference: Reference, rule: Monitor, detectors: Iterable[Detector] = DETECTORS.values()
) -> WindowResult:
    by_kind: dict[FindingKind, list[Detector]] = {kind: [] for kind in FINDING_KINDS}
    for detector in detectors:
        by_kind[detector.kind].append(detector)
    results = {kind: tuple(_results(mine, window, reference, rule)) for kind, mine in by_kind.items()}
    return WindowResult(results, window.rows, window.labelled_rows, rule.min_rows, undecided(reference))


def _results(
    detectors: list[Detector], window: WindowCounts, reference: Reference, rule: Monitor
) -> Iterator[DetectorResult]:
    tests = sum(detector.tests(reference) for detector in detectors)
    tail = rule.false_alarm_rate / len(FINDING_KINDS) / max(1, tests)
    for detector in detectors:
        yield from detector.evaluate(window, reference, rule, tail)


def _distance(statistic: Statistic) -> float:
    return statistic.value / statistic.threshold if statistic.threshold else statistic.value
