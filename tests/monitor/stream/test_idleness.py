"""What a silence of each stream means."""

from __future__ import annotations

import pytest
from monitor_world import MODEL
from rondo.monitor.model_state import Watch
from rondo.monitor.pace import Pace
from rondo.monitor.stream.idleness import Silence
from rondo.monitor.stream.message_buffer import Waiting
from rondo.monitor.stream.watermark import Watermark

AHEAD = Watermark(newest=20, passed=10, made=5, ahead=((5, 20),))


@pytest.fixture
def waiting() -> Waiting:
    watch = Watch(MODEL)
    watch.watermark = watch.known = AHEAD
    return Waiting(watch)


def passed(waiting: Waiting) -> tuple[int, int]:
    return waiting.watch.watermark.passed, waiting.watch.known.passed


def silence(pace: Pace | None = None) -> Silence:
    """Return one that counts as of 0."""
    begun = Silence(pace or Pace())
    begun.begin(0.0)
    return begun


def test_each_stream_catches_up_once_it_is_silent_for_as_long_as_its_rows_may_be_out_of_order(waiting: Waiting) -> None:
    found = silence(Pace(disorder=1.0))
    found.heard(MODEL, "predictions", 0.5)
    for now, expected in ((0.9, (10, 10)), (1.0, (10, 20)), (1.4, (10, 20)), (1.5, (20, 20))):
        found.catch_up(waiting, now)
        assert expected == passed(waiting)


def test_what_is_held_is_still_to_pass(waiting: Waiting) -> None:
    waiting.held.append(None)  # type: ignore[arg-type] - that there is one is all that counts
    silence().catch_up(waiting, 100.0)
    assert passed(waiting) == (10, 20)


def test_outcomes_are_waited_for_until_none_is_newer_for_a_while() -> None:
    found = silence(Pace(outcomes_idle=60))
    found.heard(MODEL, "newer outcomes", 10.0)
    found.heard(MODEL, "outcomes", 50.0)
    assert [found.outcomes_idle(MODEL, now) for now in (69.9, 70.0)] == [False, True]


def test_nothing_is_silent_until_silence_begins_to_count(waiting: Waiting) -> None:
    found = silence()
    found.heard(MODEL, "predictions", 0.0)
    found.forget()
    found.catch_up(waiting, 1_000.0)
    assert (passed(waiting), found.outcomes_idle(MODEL, 1_000.0)) == ((10, 10), False)
    found.begin(1_000.0)
    found.catch_up(waiting, 1_000.9)
    assert passed(waiting) == (10, 10)
    found.catch_up(waiting, 1_001.0)
    assert passed(waiting) == (20, 20)
