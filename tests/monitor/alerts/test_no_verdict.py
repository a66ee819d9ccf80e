"""The alert that windows close without a verdict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, Statistic, Window
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.alerts.hysteresis import AlarmState
from rondo.monitor.alerts.no_verdict import update_no_verdict_alarm
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.evaluate import WindowResult

from tests.monitor.builders import EPOCH, MODEL

AUC = (DetectorResult(Statistic(statistic="roc_auc", value=0.7), exceeded=False),)


def published(*windows: tuple[int, int]) -> list[AlertRaised | AlertResolved]:
    """Return the alerts of windows in a row, by their rows and outcomes; each needs 500."""
    alarm, events = AlarmState(), []
    for number, (rows, labelled_rows) in enumerate(windows):
        start = EPOCH + timedelta(days=number)
        subject = Subject(MODEL, 1, Window(start=start, end=start + timedelta(days=1), rows=rows), start)
        result = WindowResult({"drift": (), "quality": (), "performance": AUC}, rows, labelled_rows, min_rows=500)
        alarm, announcements = update_no_verdict_alarm(alarm, subject, result, number)
        events += [each.event for each in announcements]
    return events  # type: ignore[return-value]


def test_two_windows_in_a_row_with_too_few_rows_raise_an_alert_once() -> None:
    (alert,) = published((336, 336), (336, 336), (336, 336), (336, 336))
    assert isinstance(alert, AlertRaised)
    assert alert.title == "loans version 1: 2 windows in a row without a verdict"
    assert (
        "the last one had 336 of 500 rows that a verdict needs, so drift and degradation go unnoticed. Lengthen "
        "`monitor.window` or lower `monitor.min_rows` in the spec, and apply it again."
    ) in alert.detail


def test_too_few_outcomes_raise_an_alert_about_the_performance_alone() -> None:
    (alert,) = published((800, 20), (800, 20))
    assert isinstance(alert, AlertRaised)
    assert "the last one had 20 of 500 outcomes" in alert.detail
    assert "so degradation goes unnoticed" in alert.detail
    assert "or raise `data.label_delay` if outcomes arrive after their window closed" in alert.detail


@pytest.mark.parametrize(
    "windows", [((336, 336),), ((336, 336), (800, 800), (336, 336)), ((800, 0), (800, 0), (800, 0))]
)
def test_one_window_and_a_model_without_outcomes_raise_none(windows: tuple[tuple[int, int], ...]) -> None:
    assert published(*windows) == []


def test_two_windows_with_a_verdict_resolve_it() -> None:
    raised, resolved = published((336, 336), (336, 336), (800, 800), (800, 800))
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == raised.alert_id
