"""Due times of cron expressions. One training catches up with all missed times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.cron import next_due
from rondo.registry.schedule.cron import due, expressions, trigger

MONDAY_3 = "0 3 * * 1"
MONDAY = datetime(2013, 3, 4, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_only_cron_triggers_are_schedules() -> None:
    assert expressions(("drift", "cron: 0 3 * * 1", "cron: 0 3 * * 1")) == (MONDAY_3,)


def test_due_from_its_very_second_on_and_not_twice() -> None:
    assert due(MONDAY_3, MONDAY - SECOND, MONDAY - SECOND) is None
    assert due(MONDAY_3, MONDAY - SECOND, MONDAY) == MONDAY
    assert due(MONDAY_3, MONDAY - SECOND, MONDAY + timedelta(microseconds=999_999)) == MONDAY
    assert due(MONDAY_3, MONDAY, MONDAY + timedelta(days=6)) is None


def test_missed_times_are_caught_up_with_once() -> None:
    assert due(MONDAY_3, MONDAY, MONDAY + timedelta(days=30)) == MONDAY + timedelta(days=28)


def test_the_trigger_of_a_due_time_is_always_the_same() -> None:
    first, second = (trigger("late", MONDAY_3, MONDAY) for _ in range(2))
    assert first == second
    assert first.id == "schedule/late/0 3 * * 1/2013-03-04T03:00:00+00:00"


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_due_time_lies_between_base_and_now(offset: int, length: int) -> None:
    since = MONDAY + timedelta(seconds=offset)
    now = since + timedelta(seconds=length)
    found = due(MONDAY_3, since, now)
    upcoming = next_due(MONDAY_3, since)
    assert (found is not None) == (upcoming <= now)
    assert found is None or since < found <= now < next_due(MONDAY_3, found)
