"""Due times in time zones, around the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.cron import latest_due, next_due
from rondo.registry.schedule.cron import due

# Clocks go forward and back on these days: Lord Howe's by half an hour.
ZONES = {
    "Europe/Berlin": (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 10, 3, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC)),
}
EXPRESSIONS = ("30 2 * * *", "0 3 * * 1", "15 1,2 * * *", "*/20 * * * *", "0 */2 * * *")
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("after", "at"),
    [
        (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 2, tzinfo=UTC)),
        (datetime(2026, 7, 6, tzinfo=UTC), datetime(2026, 7, 6, 1, tzinfo=UTC)),
    ],
)
def test_three_o_clock_in_berlin_is_an_hour_earlier_in_summer(after: datetime, at: datetime) -> None:
    assert next_due("0 3 * * 1 Europe/Berlin", after) == at


def test_a_skipped_time_is_due_after_the_gap_and_a_repeated_one_once() -> None:
    expression = "30 2 * * * Europe/Berlin"
    forward, back = ZONES["Europe/Berlin"]
    assert next_due(expression, forward) == forward + timedelta(hours=1)  # 03:00 in summer time
    first = next_due(expression, back - timedelta(hours=2))
    assert first == back + timedelta(minutes=30)  # 02:30 in summer time
    assert next_due(expression, first) == back + DAY + timedelta(hours=1, minutes=30)


def test_a_time_after_a_change_by_half_an_hour_is_due() -> None:
    before = datetime(2026, 4, 4, 13, tzinfo=UTC)
    assert next_due("0 */2 * * * Australia/Lord_Howe", before) == before + timedelta(hours=2, minutes=30)


@pytest.mark.medium
@given(st.sampled_from(sorted(ZONES)), st.sampled_from(EXPRESSIONS), st.booleans(), st.integers(0, 4 * 86_400_000))
def test_the_latest_due_time_is_the_last_of_those_that_come(zone: str, expression: str, back: bool, after: int) -> None:  # noqa: FBT001
    start = ZONES[zone][back] - 10 * DAY
    now = start + 8 * DAY + timedelta(milliseconds=after)
    times = [next_due(f"{expression} {zone}", start)]
    while (following := next_due(f"{expression} {zone}", times[-1])) <= now:
        times.append(following)
    assert times == sorted(set(times))
    assert latest_due(f"{expression} {zone}", now) == times[-1]
    assert due(f"{expression} {zone}", start, now) == times[-1]
