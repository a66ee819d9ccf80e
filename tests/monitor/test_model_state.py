"""From rows of one model to findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
)

from tests.monitor.builders import (
    EPOCH,
    REFERENCE,
    spec,
)
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario
from tests.monitor.streams import STREAMS, Stream


def test_without_a_change_every_window_is_published_and_nothing_else() -> None:
    scenario = DailyScenario()
    for day in range(8):
        scenario.day(day)
        scenario.close()
    assert scenario.counts() == {"WindowClosed": 7}
    assert {each.no_verdict for each in scenario.all(WindowClosed)} == {None}
    first = scenario.all(WindowClosed)[0]
    assert (first.window.rows, first.labelled_rows, first.window.start) == (1_000, 1_000, EPOCH)
    (auc,) = [s for s in first.statistics if s.statistic == "roc_auc"]
    assert auc.value == pytest.approx(REFERENCE.performance["roc_auc"].value, abs=0.05)
    assert {s.feature for s in first.statistics if s.statistic == "psi"} == {"x", "city", "output.score"}


def test_an_abrupt_shift_is_found_after_the_consecutive_windows_and_repeated_while_it_lasts() -> None:
    scenario = DailyScenario()
    for day in range(9):
        scenario.day(day, shift=1.5 if day >= 3 else 0)
        scenario.close()
    found, again = scenario.all(DriftDetected)
    assert [(s.feature, s.statistic) for s in found.statistics] == [("x", "psi"), ("x", "ks")]
    assert (again.since, again.window.end) == (found.since, found.window.end + timedelta(days=2))
    assert again.finding_id != found.finding_id
    assert (found.since, found.window.end) == (EPOCH + timedelta(days=3), EPOCH + timedelta(days=5))
    assert scenario.one(AlertRaised).alert_id == found.finding_id


def test_worse_predictions_of_unchanged_inputs_are_found() -> None:
    scenario = DailyScenario()
    for day in range(6):
        scenario.day(day, skill=0.3 if day >= 2 else 1)
        scenario.close()
    found = scenario.one(PerformanceDegraded)
    assert (found.since, found.labelled_rows) == (EPOCH + timedelta(days=2), 1_000)
    (auc,) = found.statistics
    assert (auc.statistic, auc.feature) == ("roc_auc", None)
    assert auc.reference is not None
    assert auc.reference - auc.value > 0.03
    assert "DriftDetected" not in scenario.counts()


def test_missing_values_are_found() -> None:
    scenario = DailyScenario()
    for day in range(4):
        scenario.day(day, missing=0.2)
        scenario.close()
    assert [(s.feature, s.statistic) for s in scenario.one(DataQualityDegraded).statistics] == [("x", "missing")]


def test_recovery_resolves_the_alert_and_allows_another() -> None:
    scenario = DailyScenario()
    for day in range(12):
        scenario.day(day, shift=1.5 if day in (1, 2, 3, 7, 8, 9) else 0)
        scenario.close()
    assert scenario.counts()["DriftDetected"] == scenario.counts()["AlertRaised"] == 2
    assert scenario.counts()["AlertResolved"] == 1


def test_a_promotion_resolves_the_alert_and_resets_the_alarm() -> None:
    scenario = DailyScenario()
    for day in range(4):
        scenario.day(day, shift=1.5)
        scenario.close()
    scenario.promote(NEXT)
    assert scenario.one(AlertResolved).alert_id == scenario.one(AlertRaised).alert_id
    for day in range(4, 8):
        scenario.day(day, shift=1.5, version=2)
        scenario.close()
    assert scenario.counts()["DriftDetected"] == 2
    assert {e.model_version for e in scenario.all(WindowClosed) if e.window.start.day >= 5} == {2}


def test_a_promotion_of_the_same_artifact_resolves_no_alert() -> None:
    scenario = DailyScenario()
    for day in range(4):
        scenario.day(day, shift=1.5)
        scenario.close()
    scenario.promote(replace(NEXT, digest=CHAMPION.digest))
    for day in range(4, 8):
        scenario.day(day, shift=1.5, version=2)
        scenario.close()
    assert (scenario.counts()["AlertRaised"], scenario.counts()["AlertResolved"]) == (1, 0)


def test_rows_of_a_former_champion_count_in_no_window() -> None:
    scenario = DailyScenario()
    scenario.promote(NEXT)
    scenario.day(0, version=1)
    scenario.day(0, version=2, count=700)
    scenario.day(2, version=2)
    scenario.close()
    closed = scenario.one(WindowClosed)
    assert (closed.window.rows, closed.labelled_rows, closed.model_version) == (700, 700, 2)


def test_rows_that_arrive_before_the_event_of_their_promotion_count() -> None:
    early, late = DailyScenario(), DailyScenario()
    for scenario, promoted in ((early, 0), (late, 2)):
        for day in range(4):
            if day == promoted:
                scenario.promote(NEXT)
            scenario.day(day, version=2)
            scenario.close()
    assert early.published == late.published
    assert early.counts()["WindowClosed"] == 3


def test_half_hourly_rows_close_windows_without_a_verdict_and_raise_an_alert() -> None:
    """336 rows a window of seven days, where 500 are needed."""
    scenario = DailyScenario(spec=spec(window="7d", min_rows=500))
    for week in range(6):
        for day in range(7):
            scenario.day(7 * week + day, shift=3, count=48)
        scenario.close()
    windows = scenario.all(WindowClosed)
    assert {each.no_verdict for each in windows[1:]} == {"336 of 500 rows"}
    assert scenario.counts() == {"WindowClosed": len(windows), "AlertRaised": 1}
    assert scenario.one(AlertRaised).raised_at == windows[1].window.end
    assert scenario.state.no_verdict == "336 of 500 rows"


@pytest.mark.parametrize("change", ["verdict", "promotion", "removal"])
def test_the_reason_of_the_last_window_ends_with_a_verdict_a_promotion_or_the_models_removal(change: str) -> None:
    scenario = DailyScenario()
    for day, count in enumerate((48, 1_000)):
        scenario.day(day, count=count)
    scenario.close()
    assert scenario.state.no_verdict == "48 of 100 rows"
    match change:
        case "verdict":
            scenario.day(2)
            scenario.close()
        case "promotion":
            scenario.promote(NEXT)
        case _:
            scenario.state.remove(2)
    assert scenario.state.no_verdict is None


def test_a_model_that_is_applied_again_after_its_removal_counts_older_rows() -> None:
    scenario = DailyScenario()
    scenario.day(365, count=1)
    scenario.day(366, count=1)
    scenario.day(0)
    assert scenario.state.windows.keys().isdisjoint({(1, 0)})
    assert scenario.state.dropped.counts["late_rows"] == 1_000
    scenario.state.remove(2)
    scenario.state.apply_spec(scenario.spec)
    for day in (0, 1):
        scenario.day(day)
    scenario.close()
    assert scenario.state.dropped.counts["late_rows"] == 1_000
    assert scenario.all(WindowClosed)[-1].window.start == EPOCH


def test_another_window_length_discards_the_open_windows() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    scenario.state.apply_spec(spec(window="7d"))
    assert scenario.state.windows == {}


def test_finding_ids_are_a_function_of_version_kind_and_window() -> None:
    first, second = DailyScenario(seed=1), DailyScenario(seed=2)
    for scenario in (first, second):
        for day in range(4):
            scenario.day(day, shift=1.5)
            scenario.close()
    ids = [[e.finding_id for e in [*s.all(WindowClosed), *s.all(DriftDetected)]] for s in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_without_a_change_no_more_windows_exceed_a_threshold_than_the_false_alarm_rate(
    rate: float, stream: Stream
) -> None:
    """The spec's own thresholds are close to zero, so that only the noise bounds decide."""
    loose = spec(stream.task, drift=1e-9, performance_drop=1e-9, false_alarm_rate=rate, consecutive=1)
    scenario = DailyScenario(spec=loose, seed=17, stream=stream)
    for day in range(61):
        scenario.day(day, count=600)
        scenario.close()
    assert scenario.counts()["WindowClosed"] == 60
    # Three standard deviations above the stated rate.
    assert scenario.counts()["AlertRaised"] <= 60 * rate + 3 * (60 * rate * (1 - rate)) ** 0.5
