"""The assignment of event times to windows, steps and buckets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import AlertResolved
from rondo.monitor.evidence.window_lengths import Density
from rondo.monitor.windows.tumbling import TumblingWindows, to_time

from tests.monitor.builders import REFERENCE, SPEC, spec

MINUTE, HOUR = 60_000_000, 3_600_000_000
MICROS = st.integers(-(10**15), 4 * 10**15)
# Windows of 12, with two steps of two buckets each.
TUMBLING = TumblingWindows(12, 3, step=6, bucket=3)


def test_the_spec_sets_the_length_and_the_label_delay_and_the_reference_the_rest() -> None:
    """With a thousand rows a day a step has at most 500 rows, and a bucket has 8."""
    found = TumblingWindows(24 * HOUR, 2 * HOUR, step=12 * HOUR, bucket=5 * MINUTE)
    assert found == TumblingWindows.of(SPEC, REFERENCE.density)
    assert found.buckets == 288


def test_without_a_length_in_the_spec_the_windows_follow_from_the_reference() -> None:
    without = spec(window=None)
    sparse, dense = Density(10_000, 1_000 * 86_400.0), Density(10_000, 86_400.0)
    assert [TumblingWindows.of(without, each).length // HOUR for each in (sparse, dense)] == [28 * 24, 1]


def test_windows_stay_while_the_length_of_the_spec_is_not_another_one() -> None:
    found = TumblingWindows.of(spec(window=None), REFERENCE.density)
    assert found.fits(spec(window=None))
    assert not found.fits(spec(window="28d"))
    delayed = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"label_delay": 2 * SPEC.data.label_delay})})
    assert [TumblingWindows.of(SPEC, REFERENCE.density).fits(each) for each in (SPEC, delayed)] == [True, False]


@given(st.lists(MICROS, min_size=1), st.integers(1, 10**10), st.integers(1, 20), st.integers(1, 20))
def test_each_row_belongs_to_the_window_and_the_bucket_that_contain_it(
    times: list[int], bucket: int, buckets: int, steps: int
) -> None:
    step, length = bucket * buckets, bucket * buckets * steps
    tumbling, at = TumblingWindows(length, 0, step, bucket), np.array(times, np.int64)
    starts, parts, numbers = tumbling.starts(at), tumbling.bucket_starts(at), tumbling.bucket_numbers(at)
    for time, start, part, number in zip(times, starts, parts, numbers, strict=True):
        assert start <= time < start + length
        assert part <= time < part + bucket
        assert (start % length, part) == (0, start + number * bucket)


def test_a_row_is_late_after_the_close_time_of_its_window() -> None:
    times, passed = np.array([5, 11, 11, 11, 14], np.int64), np.array([0, 14, 15, 16, 16], np.int64)
    assert TUMBLING.late(times, passed).tolist() == [False, False, True, True, False]


def test_a_row_is_late_for_the_evidence_after_the_end_of_its_step() -> None:
    times, passed = np.array([5, 5, 6, 11, 11], np.int64), np.array([5, 6, 6, 11, 12], np.int64)
    assert TUMBLING.late_for_step(times, passed).tolist() == [False, True, False, False, True]


def test_times_are_utc() -> None:
    assert to_time(0).isoformat() == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("micros", [-(2**63), 2**63 - 1])
def test_every_time_can_be_published(micros: int) -> None:
    at = to_time(micros)
    assert AlertResolved(model="m", alert_id="a", detail="", resolved_at=at).resolved_at == at
