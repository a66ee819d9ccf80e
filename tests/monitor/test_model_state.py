"""From rows of one model to findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
)
from rondo.monitor.stream.log_messages import read_predictions
from rondo.monitor.windows.unmatched import UnmatchedRows

from tests.monitor.builders import (
    DIGEST,
    DIGEST_2,
    EPOCH,
    REFERENCE,
    encode_predictions,
    outcomes,
    predictions,
    rows,
    spec,
    times,
)
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario


def micros(day: int) -> int:
    return int((EPOCH + timedelta(days=day)).timestamp()) * 1_000_000


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
    assert auc.value == pytest.approx(REFERENCE.roc_auc, abs=0.05)
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


def test_a_window_waits_for_outcomes_unless_they_are_idle() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    scenario.day(1, labels=False)
    scenario.day(2, labels=False)
    scenario.close(idle=False)
    assert scenario.published == []
    scenario.close(idle=True)
    assert [e.labelled_rows for e in scenario.all(WindowClosed)] == [1_000, 0]


def test_late_rows_and_late_outcomes_are_counted() -> None:
    scenario = DailyScenario()
    for day in range(3):
        scenario.day(day)
    scenario.day(0, count=10, labels=False)
    scenario.add_outcomes(outcomes(["2-1-0"], np.ones(1), [EPOCH + timedelta(days=3, hours=3)]))
    scenario.close()
    assert scenario.state.dropped.counts["late_rows"] == 10
    assert sum(e.window.rows for e in scenario.all(WindowClosed)) == 2_000


def test_a_row_of_the_next_century_advances_no_watermark_and_is_counted() -> None:
    scenario = DailyScenario()
    for day in range(6):
        wild = predictions(rows(scenario.rng, 3), times(36_525 + day, 3), [f"wild-{day}-{i}" for i in range(3)])
        made = pa.array(times(day, 3), logs.TIMESTAMP)
        scenario.state.count_predictions(wild.set_column(3, "made_at", made), 1, REFERENCE)
        scenario.day(day, shift=1.5 if day >= 2 else 0)
        scenario.close()
    assert scenario.counts()["WindowClosed"] == 5
    assert scenario.counts()["DriftDetected"] == 1
    counts = scenario.state.dropped.counts
    assert (counts["implausible_rows"], counts["late_rows"]) == (18, 0)
    assert {start for _, start in scenario.state.windows} == {micros(5)}


def test_a_row_of_the_year_1_counts_in_no_window() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    table = predictions(rows(scenario.rng, 1), times(0, 1), ["year-1"])
    year_1 = pa.array([datetime(1, 1, 1, tzinfo=UTC)], logs.TIMESTAMP)
    scenario.state.count_predictions(table.set_column(2, "event_time", year_1), 1, REFERENCE)
    for day in (1, 2):
        scenario.day(day)
    scenario.close()
    assert scenario.state.dropped.counts["implausible_rows"] == 1
    assert [e.window.start for e in scenario.all(WindowClosed)] == [EPOCH, EPOCH + timedelta(days=1)]


def test_a_writer_whose_clock_was_ahead_for_a_moment_blocks_no_window() -> None:
    scenario = DailyScenario()
    for day in range(6):
        scenario.day(day)
        if day == 2:
            table = predictions(rows(scenario.rng, 3), times(2.99, 3, 0.01), [f"ahead-{i}" for i in range(3)])
            ahead = pa.array(times(2.99 + 30, 3, 0.01), logs.TIMESTAMP)
            scenario.state.count_predictions(table.set_column(3, "made_at", ahead), 1, REFERENCE)
        scenario.close()
    assert [e.window.rows for e in scenario.all(WindowClosed)] == [1_000, 1_000, 1_003, 1_000, 1_000]
    assert scenario.state.dropped.counts["late_rows"] == 0


def test_an_outcome_of_the_next_century_closes_no_window_without_its_labels() -> None:
    scenario = DailyScenario()
    scenario.state.add_outcomes(outcomes(["wild"], np.ones(1), [EPOCH + timedelta(days=36_525)]), micros(0))
    for day in range(3):
        scenario.day(day, labels=False)
    scenario.close(idle=False)
    assert scenario.published == []
    assert scenario.state.dropped.counts["implausible_outcomes"] == 1


def test_rows_of_a_backlog_may_arrive_partition_by_partition() -> None:
    """Four days over six partitions, read one after the other within half a second, as after an outage of serving."""
    scenario, count = DailyScenario(), 600
    at = times(0, count, 4.0)
    for partition in range(6):
        mine = at[partition::6]
        made = [EPOCH + timedelta(days=5, milliseconds=80 * partition)] * len(mine)
        table = predictions(rows(scenario.rng, len(mine)), mine, [f"{partition}-{i}" for i in range(len(mine))])
        scenario.state.count_predictions(table.set_column(3, "made_at", pa.array(made, logs.TIMESTAMP)), 1, REFERENCE)
        scenario.close()
    assert (scenario.published, scenario.state.dropped.counts["late_rows"]) == ([], 0)
    scenario.day(6)
    scenario.close()
    assert [e.window.rows for e in scenario.all(WindowClosed)] == [150] * 4


def test_mostly_late_rows_raise_an_alert_that_resolves_once_rows_count_again() -> None:
    scenario = DailyScenario()
    scenario.day(10)
    scenario.day(12)
    for late in range(4):
        scenario.day(late, labels=False)
    scenario.drain_alerts()
    alert = scenario.one(AlertRaised)
    assert (alert.severity, scenario.state.dropped.counts["late_rows"]) == ("critical", 4_000)
    scenario.day(13)
    scenario.drain_alerts()
    assert scenario.one(AlertResolved).alert_id == alert.alert_id


def test_a_correction_before_the_window_closes_replaces_the_outcome() -> None:
    """The outcomes of a day are all wrong at first, and corrected 30 seconds later."""
    corrected, correct = DailyScenario(), DailyScenario()
    for scenario in (corrected, correct):
        for day in range(3):
            scenario.day(day, labels=False)
        ids, at = [f"0-1-{i}" for i in range(1_000)], times(0, 1_000)
        truth = (np.arange(1_000) % 3 == 0).astype(np.float64)
        known_at = [t + timedelta(hours=1) for t in at]
        if scenario is corrected:
            scenario.add_outcomes(outcomes(list(ids), 1 - truth, known_at))
            scenario.state.settle()
        scenario.add_outcomes(outcomes(list(ids), truth, [t + timedelta(seconds=30) for t in known_at]))
        scenario.close()
    assert corrected.published == correct.published
    assert corrected.all(WindowClosed)[0].labelled_rows == 1_000
    corrected.state.settle()
    assert corrected.state.labelled.table.num_rows == 0


def test_a_correction_after_the_close_time_changes_nothing() -> None:
    scenario = DailyScenario()
    scenario.day(0)
    scenario.state.settle()
    before = dict(scenario.state.windows)
    scenario.add_outcomes(outcomes(["0-1-0"], np.array([0.5]), [EPOCH + timedelta(days=1, hours=2, seconds=1)]))
    scenario.state.settle()
    assert scenario.state.windows == before


def test_outcomes_that_arrive_after_their_window_closed_without_them_are_late() -> None:
    scenario = DailyScenario()
    for day in range(3):
        scenario.day(day, labels=False)
    scenario.close(idle=True)
    assert [e.labelled_rows for e in scenario.all(WindowClosed)] == [0, 0]
    scenario.add_outcomes(outcomes([f"0-1-{i}" for i in range(700)], np.ones(700), times(0.1, 700, 0.5)))
    scenario.state.settle()
    assert scenario.state.dropped.counts["late_outcomes"] == 700
    for day in range(3, 6):
        scenario.day(day)
        scenario.close()
    assert scenario.state.unmatched.predictions.num_rows == 0


def test_a_prediction_evicted_before_its_outcome_still_counts_as_a_row() -> None:
    scenario = DailyScenario()
    scenario.state.unmatched = UnmatchedRows(max_rows=700)
    scenario.day(0, labels=False)
    scenario.add_outcomes(outcomes([f"unknown-{i}" for i in range(900)], np.ones(900), times(0, 900)))
    counts = scenario.state.dropped.counts
    assert (counts["evicted_rows"], counts["evicted_outcomes"]) == (0, 300 + 200)
    assert [window.rows for window in scenario.state.windows.values()] == [1_000]


def test_a_candidates_oldest_windows_are_evicted_with_their_unmatched_rows() -> None:
    scenario = DailyScenario()
    for day in range(10):
        scenario.day(day, version=2, count=10, labels=False)
    assert sorted(start for _, start in scenario.state.windows) == [micros(day) for day in range(2, 10)]
    assert scenario.state.unmatched.predictions.num_rows == 80


def test_rows_that_cannot_be_matched_any_more_are_discarded() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False)
    scenario.add_outcomes(outcomes(["unknown"], np.ones(1), [EPOCH]))
    for day in range(1, 4):
        scenario.day(day)
        scenario.close()
    unmatched = scenario.state.unmatched
    assert (unmatched.predictions.num_rows, unmatched.outcomes.num_rows) == (0, 0)


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


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_without_a_change_no_more_windows_exceed_a_threshold_than_the_false_alarm_rate(rate: float) -> None:
    """The spec's own thresholds are close to zero, so that only the noise bounds decide."""
    loose = spec(drift=1e-9, performance_drop=1e-9, false_alarm_rate=rate, consecutive=1)
    scenario = DailyScenario(spec=loose, seed=17)
    for day in range(101):
        scenario.day(day, count=600)
        scenario.close()
    assert scenario.counts()["WindowClosed"] == 100
    # Three standard deviations above the stated rate.
    assert scenario.counts()["AlertRaised"] <= 100 * rate + 3 * (100 * rate * (1 - rate)) ** 0.5


def buffer(scenario: DailyScenario, version: int, digest: str, now: float) -> None:
    table = predictions(rows(np.random.default_rng(0), 10), times(0, 10), [f"{now}-{i}" for i in range(10)])
    value = encode_predictions(table, version, digest)
    scenario.state.buffer_predictions(value, read_predictions(value), now)


@pytest.fixture
def buffered() -> DailyScenario:
    """Return a model whose version 1 has no profile, and whose version 2, behind it, has one."""
    scenario = DailyScenario()
    buffer(scenario, 1, DIGEST, now=10.0)
    buffer(scenario, 2, DIGEST_2, now=50.0)
    return scenario


def test_a_missing_profile_blocks_the_next_version_until_its_timeout(
    buffered: DailyScenario, caplog: pytest.LogCaptureFixture
) -> None:
    state, profiles = buffered.state, {DIGEST_2: REFERENCE}
    assert state.count_buffered(profiles, timed_out=9.0) == 0
    assert state.count_buffered(profiles, timed_out=10.0) == 20
    assert state.dropped.counts["unprofiled"] == 10
    assert {version: window.rows for (version, _), window in state.windows.items()} == {2: 10}
    assert (state.buffer.size, len(state.buffer.messages)) == (0, 0)
    assert [record.args[2] for record in caplog.records] == [DIGEST]  # type: ignore[index]


def test_a_version_that_timed_out_blocks_no_more_and_is_logged_once(
    buffered: DailyScenario, caplog: pytest.LogCaptureFixture
) -> None:
    buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0)
    buffer(buffered, 1, DIGEST, now=60.0)
    assert buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0) == 10
    assert buffered.state.dropped.counts["unprofiled"] == 20
    assert len(caplog.records) == 1


def test_a_profile_that_arrives_after_the_timeout_applies_from_then_on(buffered: DailyScenario) -> None:
    buffered.state.count_buffered({DIGEST_2: REFERENCE}, timed_out=10.0)
    buffer(buffered, 1, DIGEST, now=60.0)
    buffered.state.count_buffered({DIGEST: REFERENCE, DIGEST_2: REFERENCE}, timed_out=10.0)
    assert {version: window.rows for (version, _), window in buffered.state.windows.items()} == {1: 10, 2: 10}


def test_rows_evicted_from_the_buffer_are_counted(buffered: DailyScenario) -> None:
    buffered.state.buffer.max_bytes = buffered.state.buffer.size
    for version, now in ((1, 60.0), (2, 70.0)):
        buffer(buffered, version, DIGEST, now)
    assert buffered.state.dropped.counts["evicted_rows"] == 20
