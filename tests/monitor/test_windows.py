"""Event time into windows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from monitor_world import SPEC
from rondo.monitor.windows import NEVER, Tumbling, to_time

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


@given(st.lists(MICROS, min_size=2), st.data())
def test_which_rows_are_late_does_not_depend_on_how_the_log_was_cut(times: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(times)))
    tumbling, all_times = Tumbling(10**9, 10**8), np.array(times, np.int64)
    first, second = all_times[:cut], all_times[cut:]
    watermark = max([NEVER, *map(int, first)])
    parts = np.concatenate([tumbling.late(first, NEVER), tumbling.late(second, watermark)])
    assert tumbling.late(all_times, NEVER).tolist() == parts.tolist()


def test_a_row_is_late_once_its_window_was_due() -> None:
    tumbling = Tumbling(10, 3)
    assert tumbling.late(np.array([5, 12, 9, 13, 9], np.int64), NEVER).tolist() == [False, False, False, False, True]


def test_windows_are_due_in_order_when_the_watermark_passes_their_end_and_the_delay() -> None:
    tumbling = Tumbling(10, 3)
    assert tumbling.ripe([20, 10, 0], 22) == [0]
    assert tumbling.ripe([20, 10, 0], 23) == [0, 10]


def test_times_are_utc() -> None:
    assert to_time(0).isoformat() == "1970-01-01T00:00:00+00:00"
