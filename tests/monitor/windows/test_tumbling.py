"""Event time into windows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from monitor_world import SPEC
from rondo.monitor.windows.tumbling import Tumbling, to_time

HOUR = 3_600_000_000
MICROS = st.integers(-(10**15), 4 * 10**15)


def test_a_window_is_as_long_as_the_spec_says_and_waits_for_the_labels() -> None:
    assert Tumbling(24 * HOUR, 2 * HOUR) == Tumbling.of(SPEC)


@given(st.lists(MICROS, min_size=1), st.integers(1, 10**12))
def test_each_row_falls_into_exactly_the_window_that_spans_it(times: list[int], length: int) -> None:
    starts = Tumbling(length, 0).starts(np.array(times, np.int64))
    assert all(
        start <= time < start + length and start % length == 0 for start, time in zip(starts, times, strict=True)
    )


def test_a_row_is_late_once_its_window_was_due() -> None:
    times, passed = np.array([5, 9, 9, 9, 12], np.int64), np.array([0, 12, 13, 14, 14], np.int64)
    assert Tumbling(10, 3).late(times, passed).tolist() == [False, False, True, True, False]


def test_windows_are_due_in_order_when_time_passes_their_end_and_the_delay() -> None:
    tumbling = Tumbling(10, 3)
    assert tumbling.ripe([20, 10, 0], 22) == [0]
    assert tumbling.ripe([20, 10, 0], 23) == [0, 10]


def test_times_are_utc() -> None:
    assert to_time(0).isoformat() == "1970-01-01T00:00:00+00:00"


def test_the_window_of_the_first_days_of_the_calendar_begins_with_it() -> None:
    """A request may say that it was asked for in the year 1; its window, aligned to the epoch, begins earlier."""
    tumbling = Tumbling(7 * 24 * HOUR, 0)
    first = -62_135_596_800_000_000
    (start,) = tumbling.starts(np.array([first], np.int64)).tolist()
    assert start < first
    assert tumbling.window(start, 1).start == to_time(first) == datetime.min.replace(tzinfo=UTC)
