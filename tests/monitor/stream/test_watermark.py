"""The progress of event time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.stream import watermark
from rondo.monitor.stream.watermark import (
    MANY_UNDATED,
    MAX_AHEAD,
    MAX_CLOCK_SKEW,
    NEVER,
    Arrived,
    Watermark,
    is_implausible,
)

MAX_OUT_OF_ORDERNESS = 10
HOUR = 3_600_000_000
MADE = st.integers(0, 60) | st.integers(HOUR, HOUR + 60)
ROWS = st.lists(st.tuples(st.integers(-MAX_AHEAD, MAX_AHEAD), MADE), min_size=1, max_size=60)


def advance(watermark: Watermark, rows: list[tuple[int, int]]) -> tuple[Watermark, list[int]]:
    times, made = np.array(rows, np.int64).reshape(-1, 2).T
    after, passed = watermark.advance(times, made, MAX_OUT_OF_ORDERNESS)
    return after, passed.tolist()


def test_the_watermark_advances_to_a_time_once_a_row_made_so_much_later_arrives() -> None:
    watermark, passed = advance(Watermark(), [(100, 0), (50, 5), (60, 9), (70, 10), (80, 14), (300, 15), (1, 26)])
    assert passed == [NEVER, NEVER, NEVER, 100, 100, 100, 300]
    assert watermark == Watermark(newest=300, passed=300, made=26, steps=((26, 300),))


def test_rows_made_at_one_moment_do_not_advance_the_watermark_for_each_other() -> None:
    assert advance(Watermark(), [(5, 0), (9, 0), (7, 10), (1, 10)])[1] == [NEVER, NEVER, 9, 9]


def test_a_small_step_back_of_the_clock_moves_the_watermark_nowhere() -> None:
    assert advance(Watermark(), [(5, 0), (9, 20), (7, 3), (1, 30)])[1] == [NEVER, 5, 5, 9]


def test_a_clock_that_was_ahead_for_a_while_blocks_nothing_once_it_is_correct() -> None:
    rows = [(100, 0), (120, HOUR + 5), (130, 10), (140, 15), (150, 20), (160, 30)]
    watermark, passed = advance(Watermark(), rows)
    assert passed == [NEVER, 100, 100, 100, 130, 150]
    assert (watermark.made, watermark.set_back) == (30, 1)


def test_a_clock_set_back_in_small_steps_counts_as_one_step() -> None:
    watermark = Watermark()
    for time in range(1_000):
        watermark, _ = advance(watermark, [(time, HOUR - time)])
    assert watermark == Watermark(newest=999, made=HOUR, steps=((HOUR, 999),))


def test_a_time_more_than_a_day_after_its_row_was_made_advances_nothing() -> None:
    rows = [(100, 0), (MAX_AHEAD + 1, 0), (MAX_AHEAD + 12, 12), (70, 30)]
    assert is_implausible(*np.array(rows, np.int64).T).tolist() == [False, True, False, False]
    assert advance(Watermark(), rows)[1] == [NEVER, NEVER, 100, MAX_AHEAD + 12]


def test_the_watermark_of_an_idle_stream_is_its_newest_time() -> None:
    watermark, _ = advance(Watermark(), [(100, 0), (50, 5)])
    assert watermark.caught_up() == Watermark(newest=100, passed=100, made=5)


def test_no_rows_change_nothing() -> None:
    assert advance(Watermark(1, 2, 3), []) == (Watermark(1, 2, 3), [])


@given(ROWS, st.data())
def test_the_watermark_does_not_depend_on_batches(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    watermark, parts = Watermark(), []
    for first, end in pairwise([0, *cuts, len(rows)]):
        watermark, passed = advance(watermark, rows[first:end])
        parts += passed
    assert advance(Watermark(), rows) == (watermark, parts)


@given(ROWS)
def test_the_watermark_is_the_newest_time_of_rows_made_so_much_earlier(rows: list[tuple[int, int]]) -> None:
    latest, passed, expected = -1, NEVER, []
    written: list[tuple[int, int]] = []
    for time, made in rows:
        if made < latest - MAX_CLOCK_SKEW:
            latest = made
            written = [(t, min(m, latest)) for t, m in written]
        latest = max(latest, made)
        written.append((time, latest))
        passed = max([passed, *(t for t, m in written if m <= latest - MAX_OUT_OF_ORDERNESS)])
        expected.append(passed)
    assert expected == advance(Watermark(), rows)[1]


DAY = MAX_AHEAD


def undated(watermark: Watermark, rows: list[tuple[int | None, int]]) -> tuple[Watermark, list[bool], list[bool]]:
    """Return the watermark, and for each row whether it advances no event time and whether it counts in no window."""
    given = np.array([time is not None for time, _ in rows], np.bool_)
    times = np.array([made if time is None else time for time, made in rows], np.int64)
    made = np.array([made for _, made in rows], np.int64)
    after, still, far = watermark.undated(times, made, given)
    after, _ = after.advance(np.where(still, NEVER, times), made, MAX_OUT_OF_ORDERNESS)
    return after, still.tolist(), far.tolist()


def test_rows_without_a_time_advance_a_stream_that_has_no_times() -> None:
    after, *found = undated(Watermark(), [(None, 5), (None, 9)])
    assert (after.newest, after.dated, found) == (9, NEVER, [[False] * 2, [False] * 2])


def test_a_row_without_a_time_advances_nothing_in_a_replay_and_counts_in_no_window() -> None:
    now = 300 * DAY
    after, still, far = undated(Watermark(), [(100, now), (None, now), (200, now), (None, now)])
    assert (after.dated, after.newest) == (200, 200)
    assert (still, far) == ([False, True, False, True], [False, True, False, True])
    # The result is the same in another message.
    assert undated(after, [(None, now)])[1:] == ([True], [True])


def test_a_row_without_a_time_counts_where_requests_are_as_old_as_their_times() -> None:
    after, still, far = undated(Watermark(), [(100, 100), (None, 130), (None, 101 + DAY)])
    assert (after.dated, still, far) == (100, [False, True, True], [False, False, True])


def test_an_implausible_time_makes_no_stream_one_with_times() -> None:
    after, *found = undated(Watermark(), [(2 * DAY, 5), (None, 9)])
    assert (after.dated, found) == (NEVER, [[False] * 2, [False] * 2])


def test_one_old_time_does_not_make_a_stream_without_times_a_replay() -> None:
    now = 300 * DAY
    after, still, far = undated(Watermark(), [(None, now), (100, now), (None, now + 1), (200, now), (None, now + 2)])
    assert (after.newest, still, far) == (now + 2, [False] * 5, [False] * 5)


def test_many_rows_without_a_time_in_a_row_lead_again() -> None:
    now = 300 * DAY
    after, still, _ = undated(Watermark(), [(100, now), *[(None, now)] * (MANY_UNDATED - 1)])
    assert (after.newest, still[1:]) == (100, [True] * (MANY_UNDATED - 1))
    after, still, far = undated(after, [(None, now), (None, now + 5), (200, now), (None, now + 6)])
    assert (after.newest, still, far) == (now + 6, [False] * 4, [False] * 4)


def arrive(watermark: Watermark, rows: list[tuple[int | None, int]]) -> Arrived:
    given = np.array([time is not None for time, _ in rows], np.bool_)
    times = np.array([made if time is None else time for time, made in rows], np.int64)
    made = np.array([made for _, made in rows], np.int64)
    return watermark.arrive(times, made, given, MAX_OUT_OF_ORDERNESS)


def test_a_replay_after_a_request_without_a_time_starts_event_time_over() -> None:
    now, old = 300 * DAY, [(100 + number, 300 * DAY + number) for number in range(MANY_UNDATED + 1)]
    begun = arrive(Watermark(), [(None, now)]).watermark.caught_up()
    few = arrive(begun, [*old[: MANY_UNDATED - 1]])
    assert (few.restarted, few.watermark.newest, few.watermark.passed) == (False, now, now)
    many = arrive(begun, [*old])
    assert (many.restarted, many.watermark.newest) == (True, 100 + MANY_UNDATED)
    assert set(many.passed[: MANY_UNDATED - 1].tolist()) == {now}
    assert many.passed[MANY_UNDATED - 1] == NEVER
    again = arrive(many.watermark, [(None, now + DAY)])
    assert (again.times.tolist(), again.watermark.newest) == ([NEVER], 100 + MANY_UNDATED)


def test_a_stream_without_times_does_not_start_over_with_old_requests() -> None:
    now, old = 300 * DAY, [(100, 300 * DAY)] * (2 * MANY_UNDATED)
    many = arrive(Watermark(), [*[(None, now)] * MANY_UNDATED, *old])
    assert (many.restarted, many.watermark.newest) == (False, now)
    mixed = [each for pair in zip(old, [(None, now)] * 400, strict=False) for each in pair]
    assert not arrive(Watermark(), [(None, now), *mixed]).restarted
    recent = arrive(Watermark(), [(None, now), *[(now - DAY + 1, now)] * MANY_UNDATED])
    assert (recent.restarted, recent.watermark.newest) == (False, now)


@given(st.lists(st.tuples(st.none() | st.integers(-5, 5), st.integers(0, 8)), max_size=40), st.integers(0, 40))
def test_how_rows_are_divided_into_messages_does_not_decide_when_event_time_starts_over(
    rows: list[tuple[int | None, int]], place: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watermark, "MANY_UNDATED", 3)
        patch.setattr(watermark, "MAX_AHEAD", 2)
        whole = arrive(Watermark(), rows) if rows else Arrived(Watermark(), *[np.zeros(0, np.int64)] * 2)
        parts, state = [], Watermark()
        for each in (rows[:place], rows[place:]):
            if each:
                parts.append(arrive(state, each))
                state = parts[-1].watermark
    assert whole.watermark == state
    assert whole.restarted == any(each.restarted for each in parts)
    assert whole.passed.tolist() == [each for part in parts for each in part.passed.tolist()]


@given(st.lists(st.tuples(st.none() | st.integers(-5, 5), st.integers(0, 8)), max_size=30), st.integers(0, 30))
def test_how_rows_are_divided_into_messages_does_not_decide_which_have_no_time(
    rows: list[tuple[int | None, int]], place: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watermark, "MANY_UNDATED", 3)
        whole = undated(Watermark(), rows)
        first, *before = undated(Watermark(), rows[:place])
        second, *behind = undated(first, rows[place:])
    assert whole == (second, *(a + b for a, b in zip(before, behind, strict=True)))
    # The same, row by row.
    newest, dated, run, expected = NEVER, NEVER, 0, []
    for time, made in rows:
        run = run + 1 if time is None else 0
        still = time is None and dated > NEVER and newest <= dated and not (run >= 3 and made > dated)
        dated = dated if time is None else max(dated, time)
        newest = newest if still else max(newest, made if time is None else time)
        expected.append(still)
    assert expected == whole[1]
