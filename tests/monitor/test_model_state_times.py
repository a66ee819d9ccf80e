"""Late rows, times ahead of the clock, corrections, and the rows that wait for their outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DriftDetected,
    LabelsWanted,
    WindowClosed,
)
from rondo.monitor.alerts.alarms import Repetition
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.label_requests.requests import request_labels
from rondo.monitor.quality.skew import NOTHING_MEASURED
from rondo.monitor.stream.watermark import MANY_UNDATED
from rondo.monitor.windows.unmatched_rows import UnmatchedRows

from tests.monitor.builders import (
    EPOCH,
    MODEL,
    REFERENCE,
    outcomes,
    predictions,
    rows,
    spec,
    times,
)
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import STREAMS, Stream


def micros(day: int) -> int:
    return int((EPOCH + timedelta(days=day)).timestamp()) * 1_000_000


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


def test_rows_after_the_end_of_their_step_are_in_the_figures_of_their_window_alone() -> None:
    """A step has twelve hours. A window waits two hours longer for rows and outcomes."""
    scenario = DailyScenario()
    scenario.day(0)
    soon = predictions(rows(scenario.rng, 2), times(1, 2, 0.04), ["soon-0", "soon-1"])
    scenario.state.count_predictions(soon, 1, REFERENCE)
    late = predictions(rows(scenario.rng, 50), times(0.1, 50, 0.3), [f"late-{i}" for i in range(50)])
    made = pa.array([EPOCH + timedelta(days=1.02, seconds=1)] * 50, logs.TIMESTAMP)
    scenario.state.count_predictions(late.set_column(3, "made_at", made), 1, REFERENCE)
    for day in (2, 3):
        scenario.day(day, labels=False)
        scenario.close()
    assert scenario.state.dropped.counts["late_rows"] == 0
    assert scenario.state.evidence.late == 50
    assert scenario.all(WindowClosed)[0].window.rows == 1_050
    # A checkpoint preserves the count, too.
    scenario.restart()
    assert scenario.state.evidence.late == 50
    # On day 3 the first step has passed.
    assert scenario.state.evidence.versions[1].taken["inputs"].rows == 1_000 + 2 + 1_000 + 500


@pytest.mark.medium
def test_a_request_without_a_time_during_a_replay_makes_no_later_row_late() -> None:
    scenario = DailyScenario()
    now = pa.array([EPOCH + timedelta(days=3_000)] * 2, logs.TIMESTAMP)
    for day in range(6):
        asked = predictions(rows(scenario.rng, 2), times(day, 2), [f"now-{day}-{i}" for i in range(2)])
        asked = asked.set_column(3, "made_at", now)
        if day == 2:
            nothing = pa.nulls(2, logs.TIMESTAMP)
            scenario.state.count_predictions(asked.set_column(2, "event_time", nothing), 1, REFERENCE)
        scenario.day(day)
        scenario.close()
    assert scenario.counts()["WindowClosed"] == 5
    counts = scenario.state.dropped.counts
    assert (counts["undated_rows"], counts["late_rows"]) == (2, 0)


def try_model(scenario: DailyScenario, day: int) -> None:
    """Add a request without an event time, like that of a person who tries the model with `rondo predict`."""
    asked = predictions(rows(scenario.rng, 1), times(0, 1), [f"tried-{day}"])
    now = pa.array([EPOCH + timedelta(days=day)], logs.TIMESTAMP)
    asked = asked.set_column(3, "made_at", now).set_column(2, "event_time", pa.nulls(1, logs.TIMESTAMP))
    scenario.state.count_predictions(asked, 1, REFERENCE)
    scenario.state.watermark = scenario.state.watermark.caught_up()


def replay(scenario: DailyScenario, tenth: int) -> None:
    """Add 100 requests that span a tenth of a day, and are sent from day 3,000 on."""
    made = [EPOCH + timedelta(days=3_000, seconds=2 * tenth)] * 100
    old = predictions(rows(scenario.rng, 100), times(tenth / 10, 100, 0.1), [f"{tenth}-{i}" for i in range(100)])
    scenario.state.count_predictions(old.set_column(3, "made_at", pa.array(made, logs.TIMESTAMP)), 1, REFERENCE)


@pytest.mark.slow
@pytest.mark.parametrize("restart", [False, True])
def test_a_request_without_a_time_before_a_replay_makes_its_first_rows_late_alone(*, restart: bool) -> None:
    scenario = DailyScenario()
    try_model(scenario, 3_000)
    for tenth in range(60):
        if restart:
            scenario.restart()
        replay(scenario, tenth)
        scenario.close()
    assert scenario.state.dropped.counts["late_rows"] == MANY_UNDATED - 1
    assert [each.window.rows for each in scenario.all(WindowClosed)] == [1_000 - MANY_UNDATED + 1, *[1_000] * 4]
    assert scenario.state.evidence.versions[1].taken["inputs"].first < micros(1)


def test_suspicions_are_published_again_after_event_time_starts_over() -> None:
    """A suspicion of day 3,000 would suppress those of the whole replay."""
    scenario = DailyScenario()
    try_model(scenario, 3_000)
    at = micros(3_000)
    scenario.state.alarms.suspicions["losses"] = Repetition(at, at)
    for tenth in range(6):
        replay(scenario, tenth)
    assert scenario.state.alarms.suspicions == {}


@pytest.mark.medium
def test_a_replay_is_asked_for_outcomes_and_has_repeats_whatever_was_tried_before_it() -> None:
    scenario, asked = DailyScenario(spec=spec(labels={"budget_per_day": 10})), list[Announcement]()
    for day in (2_990, 2_999):
        try_model(scenario, day)
        scenario.state.look_at_quality(NOTHING_MEASURED, outcomes_idle=True)
        asked += request_labels(scenario.state)
    tried = np.array([micros(2_999)])
    scenario.state.quality.take(MODEL, "requests", tried, tried)
    assert asked != []
    asked.clear()
    for tenth in range(60):
        replay(scenario, tenth)
        scenario.state.look_at_quality(NOTHING_MEASURED, outcomes_idle=True)
        asked += request_labels(scenario.state)
        scenario.close()
    assert [each.event.window.start for each in asked if isinstance(each.event, LabelsWanted)] == [
        EPOCH + timedelta(days=day) for day in range(5)
    ]
    assert sorted(scenario.state.quality.repeats.closed) == [micros(day) for day in range(5)]
    assert (scenario.state.quality.volume.hours, scenario.state.quality.streams.first_request) == ({}, micros(0))


@pytest.mark.medium
def test_a_row_of_the_next_century_advances_no_watermark_and_is_counted() -> None:
    scenario = DailyScenario()
    for day in range(6):
        wild = predictions(rows(scenario.rng, 3), times(36_525 + day, 3), [f"wild-{day}-{i}" for i in range(3)])
        made = pa.array(times(day, 3), logs.TIMESTAMP)
        scenario.state.count_predictions(wild.set_column(3, "made_at", made), 1, REFERENCE)
        scenario.day(day, shift=1.5 if day >= 2 else 0)
        scenario.close()
    assert scenario.counts()["WindowClosed"] == 5
    assert abs(scenario.all(DriftDetected)[0].since - (EPOCH + timedelta(days=2))) <= timedelta(hours=2)
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


@pytest.mark.medium
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


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
@pytest.mark.parametrize("later", [timedelta(seconds=30), timedelta(0)])
@pytest.mark.medium
def test_a_correction_before_the_window_closes_replaces_the_outcome(stream: Stream, later: timedelta) -> None:
    """The outcomes of a day are wrong at first. They are corrected with a later time, or with the same time."""
    corrected, correct = DailyScenario(stream=stream), DailyScenario(stream=stream)
    for scenario in (corrected, correct):
        for day in range(3):
            scenario.day(day, labels=False)
        ids, at = [f"0-1-{i}" for i in range(1_000)], times(0, 1_000)
        truth = stream.outcomes(np.random.default_rng(3), stream.rows(np.random.default_rng(4), 1_000))
        known_at = [t + timedelta(hours=1) for t in at]
        if scenario is corrected:
            scenario.add_outcomes(outcomes(list(ids), np.roll(truth, 1), known_at))
            scenario.state.settle()
        scenario.add_outcomes(outcomes(list(ids), truth, [t + later for t in known_at]))
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


@pytest.mark.medium
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


@pytest.mark.medium
def test_rows_that_cannot_be_matched_any_more_are_discarded() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False)
    scenario.add_outcomes(outcomes(["unknown"], np.ones(1), [EPOCH]))
    for day in range(1, 4):
        scenario.day(day)
        scenario.close()
    unmatched = scenario.state.unmatched
    assert (unmatched.predictions.num_rows, unmatched.outcomes.num_rows) == (0, 0)
