"""What a model's watch says, from rows alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from monitor_world import (
    EPOCH,
    MODEL,
    REFERENCE,
    SPEC,
    WRITTEN,
    outcomes,
    outcomes_of,
    predictions,
    rows,
    spec,
    times,
)
from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
)
from rondo.monitor.closing import close
from rondo.monitor.model_state import Watch
from rondo.monitor.ports import Champion
from rondo.monitor.windows.unmatched import Pending

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec

CHAMPION, NEXT = Champion(1, 1, "one"), Champion(2, 2, "two")


def micros(day: int) -> int:
    return int((EPOCH + timedelta(days=day)).timestamp()) * 1_000_000


@dataclass
class Story:
    """Feeds a watch day by day and keeps what it says."""

    spec: ModelSpec = SPEC
    seed: int = 11
    said: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.watch = Watch(MODEL)
        self.watch.apply(self.spec)
        self.watch.promote(CHAMPION)

    def day(
        self, number: float, *, shift: float = 0.0, skill: float = 1.0, count: int = 1_000, version: int = 1,
        missing: float = 0.0, labels: bool = True,
    ) -> None:  # fmt: skip
        data = rows(self.rng, count, shift)
        ids, at = [f"{number}-{version}-{i}" for i in range(count)], times(number, count)
        data["x"][self.rng.random(count) < missing] = np.nan
        self.watch.take_predictions(predictions(data, at, ids), version, REFERENCE)
        if labels:
            told = [t + timedelta(hours=1) for t in at]
            self.tell(outcomes(list(ids), outcomes_of(self.rng, data["score"], skill), told))

    def tell(self, told: pa.Table) -> None:
        """Tell outcomes; a silence follows, so that they have passed."""
        self.watch.take_outcomes(told, WRITTEN)
        self.watch.known = self.watch.known.caught_up()

    def close(self, *, idle: bool = True) -> None:
        self.watch.settle()
        self.said += [each.event for each in close(self.watch, self.spec, REFERENCE, outcomes_idle=idle)]

    def counts(self) -> Counter[str]:
        return Counter(type(event).__name__ for event in self.said)

    def one(self, event: type[Event]) -> Event:
        (found,) = [each for each in self.said if isinstance(each, event)]
        return found


def test_no_change_raises_nothing_and_tells_every_window() -> None:
    story = Story()
    for day in range(8):
        story.day(day)
        story.close()
    assert story.counts() == {"WindowClosed": 7}
    first = story.said[0]
    assert isinstance(first, WindowClosed)
    assert (first.window.rows, first.labelled_rows, first.window.start) == (1_000, 1_000, EPOCH)
    assert first.observed == pytest.approx(REFERENCE.roc_auc, abs=0.05)
    assert {f.feature for f in first.features} == {"x", "city", "output.score"}


def test_an_abrupt_shift_is_found_within_the_consecutive_windows_and_told_again_while_it_lasts() -> None:
    story = Story()
    for day in range(9):
        story.day(day, shift=1.5 if day >= 3 else 0)
        story.close()
    found, again = [event for event in story.said if isinstance(event, DriftDetected)]
    assert [f.feature for f in found.features] == ["x"]
    assert (again.since, again.window.end) == (found.since, found.window.end + timedelta(days=2))
    assert again.finding_id != found.finding_id
    assert (found.since, found.window.end) == (EPOCH + timedelta(days=3), EPOCH + timedelta(days=5))
    alert = story.one(AlertRaised)
    assert isinstance(alert, AlertRaised)
    assert alert.title == "loans version 1: the inputs are no longer what it was trained on"
    assert f"x PSI {found.features[0].psi:.2f} (bound 0.25); since 2024-01-04 00:00 UTC." in alert.detail


def test_worse_predictions_of_unchanged_inputs_are_found() -> None:
    story = Story()
    for day in range(6):
        story.day(day, skill=0.3 if day >= 2 else 1)
        story.close()
    found = story.one(PerformanceDegraded)
    assert isinstance(found, PerformanceDegraded)
    assert (found.since, found.metric, found.labelled_rows) == (EPOCH + timedelta(days=2), "roc_auc", 1_000)
    assert found.reference - found.observed > 0.03
    assert "DriftDetected" not in story.counts()


def test_missing_values_are_found() -> None:
    story = Story()
    for day in range(4):
        story.day(day, missing=0.2)
        story.close()
    found = story.one(DataQualityDegraded)
    assert isinstance(found, DataQualityDegraded)
    assert [(p.feature, p.problem) for p in found.problems] == [("x", "missing")]


def test_recovery_resolves_the_alert_and_allows_another() -> None:
    story = Story()
    for day in range(12):
        story.day(day, shift=1.5 if day in (1, 2, 3, 7, 8, 9) else 0)
        story.close()
    assert story.counts()["DriftDetected"] == story.counts()["AlertRaised"] == 2
    assert story.counts()["AlertResolved"] == 1


def test_a_promotion_resolves_the_alert_and_begins_anew() -> None:
    story = Story()
    for day in range(4):
        story.day(day, shift=1.5)
        story.close()
    story.said += [each.event for each in story.watch.promote(NEXT)]
    resolved = story.one(AlertResolved)
    assert isinstance(resolved, AlertResolved)
    assert resolved.detail == "version 2 is in production instead of version 1"
    for day in range(4, 8):
        story.day(day, shift=1.5, version=2)
        story.close()
    assert story.counts()["DriftDetected"] == 2
    assert {e.model_version for e in story.said if isinstance(e, WindowClosed) and e.window.start.day >= 5} == {2}


def test_rows_of_another_version_count_in_no_window() -> None:
    story = Story()
    story.watch.promote(NEXT)
    story.day(0, version=1)
    story.day(0, version=2, count=700)
    story.day(2, version=2)
    story.close()
    closed = story.one(WindowClosed)
    assert isinstance(closed, WindowClosed)
    assert (closed.window.rows, closed.labelled_rows, closed.model_version) == (700, 700, 2)


def test_rows_that_come_before_the_news_of_their_promotion_count() -> None:
    early, late = Story(), Story()
    for story, promoted in ((early, 0), (late, 2)):
        for day in range(4):
            if day == promoted:
                story.said += [each.event for each in story.watch.promote(NEXT)]
            story.day(day, version=2)
            story.close()
    assert early.said == late.said
    assert early.counts()["WindowClosed"] == 3


def test_too_few_rows_are_told_and_not_judged() -> None:
    story = Story()
    for day in range(6):
        story.day(day, shift=3, count=50)
        story.close()
    assert story.counts() == {"WindowClosed": 5}


def test_a_window_waits_for_outcomes_unless_they_are_idle() -> None:
    story = Story()
    story.day(0)
    story.day(1, labels=False)
    story.day(2, labels=False)
    story.close(idle=False)
    assert story.said == []
    story.close(idle=True)
    assert [e.labelled_rows for e in story.said if isinstance(e, WindowClosed)] == [1_000, 0]


def test_late_rows_and_late_outcomes_are_counted() -> None:
    story = Story()
    for day in range(3):
        story.day(day)
    story.day(0, count=10, labels=False)
    story.tell(outcomes(["2-1-0"], np.ones(1), [EPOCH + timedelta(days=3, hours=3)]))
    story.close()
    assert story.watch.left_out.counted["late_rows"] == 10
    assert sum(e.window.rows for e in story.said if isinstance(e, WindowClosed)) == 2_000


def test_a_row_of_the_next_century_moves_no_window_and_is_counted() -> None:
    story = Story()
    for day in range(6):
        wild = predictions(rows(story.rng, 3), times(36_525 + day, 3), [f"wild-{day}-{i}" for i in range(3)])
        story.watch.take_predictions(
            wild.set_column(3, "made_at", pa.array(times(day, 3), logs.TIMESTAMP)), 1, REFERENCE
        )
        story.day(day, shift=1.5 if day >= 2 else 0)
        story.close()
    assert story.counts()["WindowClosed"] == 5
    assert story.counts()["DriftDetected"] == 1
    assert (story.watch.left_out.counted["future_rows"], story.watch.left_out.counted["late_rows"]) == (18, 0)
    assert {start for _, start in story.watch.windows} == {micros(5)}


def test_a_writer_whose_clock_was_ahead_for_a_moment_holds_up_no_window_of_a_stream_that_goes_on() -> None:
    story = Story()
    for day in range(6):
        story.day(day)
        if day == 2:
            table = predictions(rows(story.rng, 3), times(2.99, 3, 0.01), [f"ahead-{i}" for i in range(3)])
            ahead = pa.array(times(2.99 + 30, 3, 0.01), logs.TIMESTAMP)
            story.watch.take_predictions(table.set_column(3, "made_at", ahead), 1, REFERENCE)
        story.close()
    assert [e.window.rows for e in story.said if isinstance(e, WindowClosed)] == [1_000, 1_000, 1_003, 1_000, 1_000]
    assert story.watch.left_out.counted["late_rows"] == 0


def test_an_outcome_of_the_next_century_lets_no_window_close_without_its_labels() -> None:
    story = Story()
    story.watch.take_outcomes(outcomes(["wild"], np.ones(1), [EPOCH + timedelta(days=36_525)]), micros(0))
    for day in range(3):
        story.day(day, labels=False)
    story.close(idle=False)
    assert story.said == []
    assert story.watch.left_out.counted["future_outcomes"] == 1


def test_rows_of_a_backlog_may_come_partition_by_partition() -> None:
    """Four days over six partitions, read one after the other within half a second, as after an outage of serving."""
    story, count = Story(), 600
    at = times(0, count, 4.0)
    for partition in range(6):
        mine = at[partition::6]
        made = [EPOCH + timedelta(days=5, milliseconds=80 * partition)] * len(mine)
        asked = predictions(rows(story.rng, len(mine)), mine, [f"{partition}-{i}" for i in range(len(mine))])
        story.watch.take_predictions(asked.set_column(3, "made_at", pa.array(made, logs.TIMESTAMP)), 1, REFERENCE)
        story.close()
    assert (story.said, story.watch.left_out.counted["late_rows"]) == ([], 0)
    story.day(6)
    story.close()
    assert [e.window.rows for e in story.said if isinstance(e, WindowClosed)] == [150] * 4


def test_that_most_rows_are_late_is_told_and_so_is_its_end() -> None:
    story = Story()
    story.day(10)
    story.day(12)
    for late in range(4):
        story.day(late, labels=False)
    story.said += [each.event for each in story.watch.left_out.speak()]
    alert = story.one(AlertRaised)
    assert isinstance(alert, AlertRaised)
    assert alert.title == "loans: the monitor can't see 100% of its requests"
    assert "500 of the last 500 rows count in no window" in alert.detail
    assert "late_rows 1,000, future_rows 0" in alert.detail
    story.day(13)
    story.said += [each.event for each in story.watch.left_out.speak()]
    resolved = story.one(AlertResolved)
    assert isinstance(resolved, AlertResolved)
    assert (resolved.alert_id, resolved.detail) == (
        alert.alert_id,
        "100% of the last 500 rows count in a window again",
    )


def test_outcomes_that_come_after_their_window_was_judged_without_them_are_counted_as_late() -> None:
    story = Story()
    for day in range(3):
        story.day(day, labels=False)
    story.close(idle=True)
    assert [e.labelled_rows for e in story.said if isinstance(e, WindowClosed)] == [0, 0]
    story.tell(outcomes([f"0-1-{i}" for i in range(700)], np.ones(700), times(0.1, 700, 0.5)))
    story.watch.settle()
    assert story.watch.left_out.counted["late_outcomes"] == 700
    for day in range(3, 6):
        story.day(day)
        story.close()
    assert story.watch.pending.predictions.num_rows == 0


def test_what_must_make_room_while_it_waits_for_its_outcome_is_no_row_that_counts_in_no_window() -> None:
    story = Story()
    story.watch.pending = Pending(most=700)
    story.day(0, labels=False)
    story.tell(outcomes([f"nobody-{i}" for i in range(900)], np.ones(900), times(0, 900)))
    counted = story.watch.left_out.counted
    assert (counted["dropped"], counted["dropped_outcomes"]) == (0, 300 + 200)
    assert [s.rows for s in story.watch.windows.values()] == [1_000]


def test_the_windows_ahead_that_have_to_go_take_their_waiting_rows_along() -> None:
    story = Story()
    for day in range(10):
        story.day(day, version=2, count=10, labels=False)
    assert sorted(start for _, start in story.watch.windows) == [micros(day) for day in range(2, 10)]
    assert story.watch.pending.predictions.num_rows == 80


def test_what_can_no_longer_be_matched_is_forgotten() -> None:
    story = Story()
    story.day(0, labels=False)
    story.tell(outcomes(["nobody"], np.ones(1), [EPOCH]))
    for day in range(1, 4):
        story.day(day)
        story.close()
    assert (story.watch.pending.predictions.num_rows, story.watch.pending.outcomes.num_rows) == (0, 0)


def test_other_windows_in_the_spec_begin_anew() -> None:
    story = Story()
    story.day(0)
    story.watch.apply(spec(window="7d"))
    assert story.watch.windows == {}


def test_finding_ids_are_a_function_of_version_kind_and_window() -> None:
    first, second = Story(seed=1), Story(seed=2)
    for story in (first, second):
        for day in range(4):
            story.day(day, shift=1.5)
            story.close()
    ids = [[e.finding_id for e in s.said if isinstance(e, WindowClosed | DriftDetected)] for s in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_without_a_change_no_more_windows_are_over_than_the_stated_rate(rate: float) -> None:
    """A dummy check: the spec's own thresholds are out of the way, so that the noise bounds stand alone."""
    loose = spec(drift=1e-9, performance_drop=1e-9, false_alarm_rate=rate, consecutive=1)
    story = Story(spec=loose, seed=17)
    for day in range(201):
        story.day(day, count=600)
        story.close()
    assert story.counts()["WindowClosed"] == 200
    alarms = story.counts()["AlertRaised"]
    # Three standard deviations above the stated rate.
    assert alarms <= 200 * rate + 3 * (200 * rate * (1 - rate)) ** 0.5
