"""The lengths of windows, steps and buckets, from ten rows a day to ten million."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.evidence.window_lengths import LENGTHS, Density, bucket_length, step_length, window_length

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


def lengths(density: Density, window: int | None = None) -> tuple[int, int, int]:
    length = window or window_length(density)
    step = step_length(density, length)
    return length, step, bucket_length(density, step)


@pytest.mark.parametrize(
    ("rows", "days", "expected"),
    [
        (17_520, 365, (7 * DAY, DAY, 3 * HOUR)),  # half-hourly, a year
        (1_008, 21, (2 * DAY, DAY, 3 * HOUR)),  # half-hourly, three weeks
        (1_000, 100, (7 * DAY, DAY, 12 * HOUR)),  # ten a day
        (300_000_000, 30, (MINUTE, MINUTE, SECOND)),  # ten million a day
        (10, 3_650, (28 * DAY, 28 * DAY, 28 * DAY)),  # one a year
        (1_000, 0.001, (SECOND, SECOND, SECOND)),  # within a minute and a half, then one a day
    ],
)
def test_the_widths_follow_from_the_density_of_the_reference(
    rows: int, days: float, expected: tuple[int, int, int]
) -> None:
    assert lengths(Density(rows, days * 86_400)) == expected


@pytest.mark.parametrize("density", [Density(1_000, 0.0), Density(0, 0.0), Density(0, 86_400.0)])
def test_without_a_density_a_window_is_a_week_and_one_step_of_the_shortest_buckets(density: Density) -> None:
    assert lengths(density) == (7 * DAY, 7 * DAY, SECOND)
    assert density.rows_in(DAY) in (None, 0.0)


def test_a_window_of_the_spec_that_no_calendar_width_divides_is_one_step_and_one_bucket() -> None:
    assert lengths(Density(50_000, 50 * 86_400.0), window=1_500_000) == (1_500_000, 1_500_000, 1_500_000)


@given(
    st.integers(0, 10**10),
    st.floats(0, 1e9, allow_nan=False),
    st.none() | st.integers(1, 60 * 24).map(lambda minutes: minutes * MINUTE),
)
def test_buckets_divide_steps_and_steps_windows(rows: int, seconds: float, given_window: int | None) -> None:
    window, step, bucket = lengths(Density(rows, seconds), given_window)
    assert (window % step, step % bucket) == (0, 0)
    assert given_window or window in LENGTHS


@given(st.integers(100, 10**9), st.floats(1, 1e9))
def test_a_window_has_no_more_rows_than_a_twentieth_of_the_reference_unless_that_is_less_than_a_hundred(
    rows: int, seconds: float
) -> None:
    density = Density(rows, seconds)
    window, _, bucket = lengths(density)
    assert (density.rows_in(window) or 0.0) <= max(100, min(rows / 20, 20_000)) or window == SECOND
    assert (density.rows_in(bucket) or 0.0) <= 8 or bucket == SECOND
