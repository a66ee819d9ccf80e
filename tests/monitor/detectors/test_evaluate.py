"""Decisions on a window, from the results of detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.detectors.base import FINDING_KINDS, DetectorResult, FindingKind
from rondo.monitor.detectors.catalogue import DETECTORS
from rondo.monitor.detectors.evaluate import WindowResult, evaluate_window

from tests.monitor.builders import REFERENCE, spec
from tests.monitor.detectors.windows import RULE, window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class MeanShift:
    """A statistic that is new to the monitor: it records its share of the false-alarm rate."""

    kind: FindingKind = "drift"

    def __init__(self, tests: int) -> None:
        self._tests = tests
        self.tail = 0.0

    def tests(self, reference: Reference) -> int:
        del reference
        return self._tests

    def evaluate(
        self, window: WindowCounts, reference: Reference, rule: Monitor, tail: float
    ) -> Iterator[DetectorResult]:
        del window, reference, rule
        self.tail = tail
        yield DetectorResult(Statistic(feature="x", statistic="mean_shift", value=3.0, threshold=2.0), exceeded=True)


def test_a_new_statistic_needs_nothing_but_a_detector() -> None:
    result = evaluate_window(window({}), REFERENCE, RULE, [*DETECTORS.values(), MeanShift(1)])
    assert result.exceeded("drift")
    assert [(s.feature, s.statistic) for s in result.found("drift")] == [("x", "mean_shift"), ("x", "ks")]


def test_the_false_alarm_rate_of_a_kind_is_divided_by_its_tests() -> None:
    first, second, informational = MeanShift(2), MeanShift(3), MeanShift(0)
    evaluate_window(window({}), REFERENCE, spec(false_alarm_rate=0.15).monitor, [first, second, informational])
    assert [each.tail for each in (first, second, informational)] == pytest.approx([0.01] * 3)


def test_every_detector_reports_under_its_registered_name() -> None:
    counts = window({"city": [50, 0, 0, 25, 25]})
    for name, detector in DETECTORS.items():
        if name != "performance":  # has several metrics
            assert {r.statistic.statistic for r in detector.evaluate(counts, REFERENCE, RULE, 0.01)} <= {name}


def result(rows: int, labelled_rows: int, performance: tuple[DetectorResult, ...]) -> WindowResult:
    results: dict[FindingKind, tuple[DetectorResult, ...]] = {"drift": (), "quality": (), "performance": performance}
    return WindowResult(results, rows, labelled_rows, min_rows=500, undecided="outcomes of one class only")


AUC = (DetectorResult(Statistic(statistic="roc_auc", value=0.7), exceeded=False),)
INFORMATION = (DetectorResult(Statistic(statistic="f1_macro", value=0.7)),)


@pytest.mark.parametrize(
    ("window_result", "exceeded", "no_verdict"),
    [
        (result(500, 500, AUC), [False, False, False], None),
        (result(336, 336, AUC), [None, None, None], "336 of 500 rows"),
        (result(500, 336, AUC), [False, None, False], "336 of 500 outcomes"),
        (result(500, 500, ()), [False, None, False], "outcomes of one class only"),
        (result(500, 500, INFORMATION), [False, None, False], "outcomes of one class only"),
    ],
)
def test_below_min_rows_nothing_is_decided_and_the_reason_is_given(
    window_result: WindowResult, exceeded: list[bool | None], no_verdict: str | None
) -> None:
    assert [window_result.exceeded(kind) for kind in FINDING_KINDS] == exceeded
    assert window_result.no_verdict == no_verdict
