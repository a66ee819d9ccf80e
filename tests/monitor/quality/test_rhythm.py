"""The rhythm of a stream: what follows from rows, and the limits that follow from the rhythm."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.quality.limits import (
    SHORTEST_SILENCE,
    lag_limit,
    longest_gap,
    silence_limit,
)
from rondo.monitor.quality.rhythm import HOUR, WEEK, Rhythm

MINUTE, DAY = HOUR // 60, 24 * HOUR
# A Monday.
BEGIN = 2_800 * WEEK + 4 * DAY


def after(*written: np.ndarray, lag: int = 0, rhythm: Rhythm | None = None) -> Rhythm:
    """Return the rhythm of rows written at these times, each with an event time `lag` earlier."""
    return reduce(lambda known, part: known.with_rows(part, part - lag), written, rhythm or Rhythm())


def every(step: int, length: int, begin: int = BEGIN) -> np.ndarray:
    return np.arange(begin, begin + length, step, dtype=np.int64)


def working_days(weeks: int) -> np.ndarray:
    """Return a row a minute from 9 to 17 o'clock, Monday to Friday."""
    days = [BEGIN + week * WEEK + day * DAY + 9 * HOUR for week in range(weeks) for day in range(5)]
    return np.concatenate([every(MINUTE, 8 * HOUR, day) for day in days])


@given(
    gaps=st.lists(st.integers(0, 2 * DAY), min_size=2, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=5),
    seed=st.integers(0, 9),
)
def test_the_rhythm_does_not_depend_on_how_rows_arrive(gaps: list[int], cuts: list[int], seed: int) -> None:
    written = BEGIN + np.cumsum(np.array(gaps, np.int64))
    times = written - np.random.default_rng(seed).integers(0, DAY, written.size)
    whole = Rhythm().with_rows(written, times)
    # Rows that were written at the same time are in one message, and arrive together.
    ends = sorted({cut for cut in cuts if 0 < cut < written.size and written[cut] > written[cut - 1]})
    parts = zip(np.split(written, ends), np.split(times, ends), strict=True)
    assert reduce(lambda known, part: known.with_rows(*part), parts, Rhythm()) == whole


@pytest.mark.medium
@given(gaps=st.lists(st.integers(1, DAY), min_size=60, max_size=200))
def test_no_gap_up_to_the_longest_so_far_is_beyond_the_limit(gaps: list[int]) -> None:
    rhythm = after(BEGIN + np.cumsum(np.array(gaps, np.int64)))
    limit, longest = silence_limit(rhythm), longest_gap(rhythm)
    assert (limit is None) == (longest is None)
    assert limit is None or longest is None or limit >= max(2 * longest, SHORTEST_SILENCE)


def test_nothing_is_known_before_a_week() -> None:
    assert silence_limit(Rhythm()) is None
    assert silence_limit(after(every(MINUTE, WEEK - HOUR))) is None
    assert silence_limit(after(every(MINUTE, WEEK + HOUR))) == SHORTEST_SILENCE


def test_a_dense_stream_may_be_silent_for_the_time_of_a_deployment() -> None:
    assert silence_limit(after(every(MINUTE // 60, 8 * DAY))) == SHORTEST_SILENCE


def test_a_weekend_that_was_seen_is_a_usual_pause() -> None:
    rhythm = after(working_days(2))
    assert longest_gap(rhythm) == 64 * HOUR + MINUTE
    assert (silence_limit(rhythm) or 0) > 64 * HOUR


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
def test_ten_rows_a_day_at_random_stay_below_the_limit(seed: int) -> None:
    """The test covers two months. The chance that a gap exceeds the limit is below 1% (see `limits`)."""
    gaps = np.random.default_rng(seed).exponential(DAY / 10, 600).astype(np.int64) + 1
    written = BEGIN + np.cumsum(gaps)
    rhythm, beyond = Rhythm(), 0
    for at in written:
        limit = silence_limit(rhythm)
        beyond += limit is not None and at - rhythm.last > limit
        rhythm = rhythm.with_rows(np.array([at]), np.array([at]))
    assert beyond <= 1


def test_a_replay_of_a_year_teaches_nothing() -> None:
    """The replay has a row for each hour of a year. Three hundred rows are written each second, and then it ends."""
    times = every(HOUR, 365 * DAY, BEGIN - 400 * DAY)
    rhythm = Rhythm().with_rows(every(MINUTE // 18_000, MINUTE // 18_000 * times.size), times)
    assert silence_limit(rhythm) is None
    assert lag_limit(rhythm) is None
    slow = Rhythm().with_rows(BEGIN + np.arange(times.size) * 2 * HOUR // 2, times * 3)
    assert silence_limit(slow) is None


def test_a_live_stream_is_known_in_the_weeks_after_a_replay() -> None:
    replayed = Rhythm().with_rows(every(MINUTE, HOUR), every(DAY, 60 * DAY, BEGIN - 60 * DAY))
    assert silence_limit(after(every(MINUTE, 15 * DAY, BEGIN + HOUR), rhythm=replayed)) == SHORTEST_SILENCE


def test_a_reported_pause_is_usual_only_once_it_repeats() -> None:
    rhythm = after(every(MINUTE, 8 * DAY))
    back = rhythm.last + DAY
    once = rhythm.with_rows(every(MINUTE, HOUR, back), every(MINUTE, HOUR, back), was_paused=True)
    assert (silence_limit(once), longest_gap(once)) == (SHORTEST_SILENCE, MINUTE)
    again = once.last + DAY
    twice = once.with_rows(every(MINUTE, HOUR, again), every(MINUTE, HOUR, again), was_paused=True)
    assert silence_limit(twice) == 2 * DAY


def test_pauses_of_a_month_ago_are_not_kept() -> None:
    paused = after(working_days(1), every(MINUTE, 36 * DAY, BEGIN + WEEK))
    assert silence_limit(paused) == SHORTEST_SILENCE
    assert len(paused.weeks) == 5


def test_a_clock_that_is_set_back_makes_no_gap() -> None:
    rhythm = after(every(MINUTE, 10 * DAY))
    back = rhythm.last - DAY
    assert longest_gap(rhythm.with_rows(np.array([back]), np.array([back]))) == MINUTE
    assert rhythm.with_rows(np.array([back]), np.array([back])).last == back


def test_a_clock_that_was_years_ahead_for_a_moment_hides_no_silence_for_years() -> None:
    ahead = after(every(MINUTE, HOUR, BEGIN + 500 * WEEK), rhythm=after(every(MINUTE, 10 * DAY)))
    begin = BEGIN + 10 * DAY
    again = after(every(MINUTE, MINUTE, begin), every(MINUTE, 10 * DAY, begin + MINUTE), rhythm=ahead)
    assert silence_limit(again) == SHORTEST_SILENCE
    assert (again.lag, [each.number - BEGIN // WEEK for each in again.weeks]) == (0, [2, 3])


@pytest.mark.parametrize(("lag", "limit"), [(0, HOUR), (MINUTE, HOUR), (DAY, 3 * DAY)])
def test_the_limit_of_the_lag_follows_the_weeks_before(lag: int, limit: int) -> None:
    rhythm = after(every(MINUTE, 15 * DAY), lag=lag)
    assert lag_limit(rhythm) == limit
    stuck = every(MINUTE, DAY, rhythm.last + MINUTE)
    later = rhythm.with_rows(stuck, np.full(stuck.size, rhythm.newest))
    assert lag_limit(later) == limit
    assert later.lag == lag + DAY
