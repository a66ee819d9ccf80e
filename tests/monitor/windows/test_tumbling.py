"""Event time into windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertResolved
from rondo.monitor.windows.tumbling import TumblingWindows, to_time

from tests.monitor.builders import SPEC

HOUR = 3_600_000_000
MICROS = st.integers(-(10**15), 4 * 10**15)


def test_the_spec_sets_the_length_and_the_label_delay() -> None:
    assert TumblingWindows(24 * HOUR, 2 * HOUR) == TumblingWindows.of(SPEC)


@given(st.lists(MICROS, min_size=1), st.integers(1, 10**12))
def test_each_row_belongs_to_the_window_that_contains_it(times: list[int], length: int) -> None:
    starts = TumblingWindows(length, 0).starts(np.array(times, np.int64))
    assert all(
        start <= time < start + length and start % length == 0 for start, time in zip(starts, times, strict=True)
    )


def test_a_row_is_late_after_the_close_time_of_its_window() -> None:
    times, passed = np.array([5, 9, 9, 9, 12], np.int64), np.array([0, 12, 13, 14, 14], np.int64)
    assert TumblingWindows(10, 3).late(times, passed).tolist() == [False, False, True, True, False]


def test_windows_are_due_in_order_once_their_close_time_has_passed() -> None:
    tumbling = TumblingWindows(10, 3)
    assert tumbling.due([20, 10, 0], 22) == [0]
    assert tumbling.due([20, 10, 0], 23) == [0, 10]


def test_times_are_utc() -> None:
    assert to_time(0).isoformat() == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("micros", [-(2**63), 2**63 - 1])
def test_every_time_can_be_published(micros: int) -> None:
    at = to_time(micros)
    assert AlertResolved(model="m", alert_id="a", detail="", resolved_at=at).resolved_at == at
