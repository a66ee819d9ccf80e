"""The alert that a model fails on many of its rows."""

from __future__ import annotations

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.costs.version_cost import VersionCost
from rondo.monitor.quality.failed_rows import FailedRows
from rondo.monitor.windows.tumbling import to_time

from tests.monitor.builders import MODEL

HOUR = 3_600_000_000
BEGIN = 500_000 * HOUR
SUBJECT = Subject(MODEL, 3, 0.01, 0)


def look(failed: FailedRows, passed: int, *windows: tuple[int, int]) -> list[object]:
    """Look at windows of an hour, each given by its numbers of rows with and without a prediction."""
    costs = {BEGIN + at * HOUR: VersionCost(*counts) for at, counts in enumerate(windows)}
    return [each.event for each in failed.look(SUBJECT, costs, HOUR, BEGIN + passed)]


def test_an_alert_opens_while_the_window_fills_and_ends_with_a_whole_window_of_few_failures() -> None:
    failed = FailedRows()
    assert look(failed, 0, (90, 9)) == [], "too few rows"
    assert look(failed, 0, (950, 50)) == [], "the limit itself"
    finding, alert = look(failed, 0, (900, 100))
    assert isinstance(finding, DataQualityDegraded)
    assert isinstance(alert, AlertRaised)
    (figure,) = finding.statistics
    assert (finding.problem, figure.statistic) == ("failed_rows", "failed_rows")
    assert (figure.value, figure.threshold) == (0.1, 0.05)
    assert (finding.model_version, alert.model_version, finding.window.rows) == (3, 3, 900)
    assert "10.0% of 1,000 rows" in alert.detail
    assert failed.open == {"failed_rows": alert.alert_id}
    assert look(failed, HOUR, (900, 100)) == []
    assert look(failed, HOUR, (900, 100), (1_000, 0)) == [], "the second window fills yet"
    assert look(failed, 2 * HOUR, (900, 100), (960, 40)) == [], "between the limits"
    (resolved,) = look(failed, 3 * HOUR, (900, 100), (960, 40), (980, 20))
    assert isinstance(resolved, AlertResolved)
    assert (resolved.alert_id, resolved.resolved_at) == (alert.alert_id, to_time(BEGIN + 3 * HOUR))
    assert failed.open == {}


def test_a_window_of_few_rows_that_passes_ends_the_alert_and_the_one_before_opens_none() -> None:
    failed = FailedRows()
    assert len(look(failed, 0, (900, 100))) == 2
    assert look(failed, HOUR, (900, 100), (3, 0)) == [], "it fills yet"
    assert look(failed, 2 * HOUR, (900, 100), (9, 1)) == [], "a tenth of few"
    (resolved,) = look(failed, 3 * HOUR, (900, 100), (9, 1), (3, 0))
    assert isinstance(resolved, AlertResolved)
    assert look(failed, 3 * HOUR, (900, 100), (9, 1), (3, 0)) == []
    assert look(failed, 4 * HOUR, (900, 100), (9, 1), (3, 0), (1, 9)) == [], "few rows open none"
    assert look(failed, 4 * HOUR, (900, 100), (9, 1), (3, 0), (0, 0)) == []


def test_a_model_that_fails_on_every_row_is_reported() -> None:
    failed = FailedRows()
    found = look(failed, 0, (0, 100))
    assert [type(each) for each in found] == [DataQualityDegraded, AlertRaised]
    assert [each.event.detail for each in failed.resolve(MODEL, to_time(BEGIN), "removed")] == ["removed"]  # type: ignore[attr-defined]
    assert failed == FailedRows()


def test_the_alert_ends_on_a_stream_whose_next_window_is_full_at_once() -> None:
    """On such a stream the newest known window is always the open one."""
    failed = FailedRows()
    (_, alert) = look(failed, 0, (900, 100))
    assert isinstance(alert, AlertRaised)
    assert look(failed, HOUR, (900, 100), (500, 0)) == []
    (resolved,) = look(failed, 2 * HOUR, (900, 100), (1_000, 0), (500, 0))
    assert isinstance(resolved, AlertResolved)
    assert (resolved.alert_id, resolved.resolved_at) == (alert.alert_id, to_time(BEGIN + 2 * HOUR))


def test_no_window_before_that_of_the_alert_ends_it_and_none_while_the_next_one_fails() -> None:
    failed = FailedRows()
    assert len(look(failed, HOUR, (1_000, 0), (900, 100))) == 2
    assert look(failed, HOUR, (1_000, 0), (5_000, 100)) == [], "by the window before"
    assert look(failed, 2 * HOUR, (1_000, 0), (5_000, 100), (80, 20)) == [], "the next one fails"
    (resolved,) = look(failed, 2 * HOUR, (1_000, 0), (5_000, 100), (800, 20))
    assert isinstance(resolved, AlertResolved)
    assert failed == FailedRows()
