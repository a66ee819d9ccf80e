"""What a silence of each stream means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from monitor_fakes import Clock
from monitor_world import MODEL
from rondo.monitor.pace import Pace
from rondo.monitor.silence import Silence
from rondo.monitor.waiting import Waiting
from rondo.monitor.watch import Watch
from rondo.monitor.watermark import Watermark

AHEAD = Watermark(newest=20, passed=10, made=5, ahead=((5, 20),))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiting() -> Waiting:
    watch = Watch(MODEL)
    watch.watermark = watch.known = AHEAD
    return Waiting(watch)


def passed(waiting: Waiting) -> tuple[int, int]:
    return waiting.watch.watermark.passed, waiting.watch.known.passed


def test_each_stream_catches_up_once_it_is_silent_for_as_long_as_its_rows_may_be_out_of_order(
    clock: Clock, waiting: Waiting
) -> None:
    silence = Silence(clock, Pace(disorder=1.0))
    clock.now = 0.5
    silence.heard(MODEL, "predictions")
    for now, expected in ((0.9, (10, 10)), (1.0, (10, 20)), (1.4, (10, 20)), (1.5, (20, 20))):
        clock.now = now
        silence.catch_up(waiting)
        assert expected == passed(waiting)


def test_what_is_held_is_still_to_pass(clock: Clock, waiting: Waiting) -> None:
    silence = Silence(clock, Pace())
    waiting.held.append(None)  # type: ignore[arg-type] - that there is one is all that counts
    clock.now = 100
    silence.catch_up(waiting)
    assert passed(waiting) == (10, 20)


def test_outcomes_are_waited_for_until_none_is_newer_for_a_while(clock: Clock) -> None:
    silence = Silence(clock, Pace(outcomes_idle=60))
    clock.now = 10
    silence.heard(MODEL, "newer outcomes")
    clock.now = 50
    silence.heard(MODEL, "outcomes")
    assert [silence.outcomes_idle(MODEL) for clock.now in (69.9, 70.0)] == [False, True]


def test_after_a_load_nothing_has_been_silent(clock: Clock, waiting: Waiting) -> None:
    silence = Silence(clock, Pace())
    clock.now = 1_000
    silence.begin()
    silence.catch_up(waiting)
    assert passed(waiting) == (10, 10)
    assert replace(AHEAD) == waiting.watch.known
