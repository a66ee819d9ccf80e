"""The messages that become dead letters, for histories of failures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.stream.poison_pill import MAX_CONSECUTIVE, TRIES, Place, PoisonPillTracker

STUMBLED = RuntimeError("the transform stumbled")


def at(offset: int) -> Place:
    return ("t", 0, offset)


def replay(poison: set[int], count: int, max_records: int) -> tuple[list[int], PoisonPillTracker]:
    """Run a stream of `count` messages. Return the dead letters, in order."""
    tracker, dead_letters, position = PoisonPillTracker(), [], 0
    while position < count and not tracker.tripped:
        batch = list(range(position, min(position + tracker.batch_size(max_records), count)))
        places = [at(n) for n in batch]
        if tracker.poison(places):
            dead_letters.append(position)
        elif poison & set(batch):
            tracker.failed(places, STUMBLED)
            continue
        tracker.passed(places)
        position += len(batch)
    return dead_letters, tracker


@given(st.sets(st.integers(0, 60), max_size=MAX_CONSECUTIVE - 1), st.integers(1, 20))
def test_exactly_the_failing_messages_become_dead_letters(poison: set[int], max_records: int) -> None:
    dead_letters, tracker = replay(poison, 61, max_records)
    assert dead_letters == sorted(poison)
    assert not tracker.tripped


def test_a_transient_failure_dead_letters_nothing_and_isolates_nothing() -> None:
    tracker = PoisonPillTracker()
    tracker.failed([at(0), at(1)], STUMBLED)
    assert tracker.batch_size(100) == 100
    tracker.passed([at(0), at(1)])
    tracker.failed([at(2), at(3)], STUMBLED)
    assert tracker.batch_size(100) == 100


def test_a_micro_batch_that_fails_again_is_isolated_until_it_has_passed() -> None:
    tracker = PoisonPillTracker()
    for _ in range(TRIES):
        tracker.failed([at(0), at(1), at(2)], STUMBLED)
    for offset in range(3):
        assert tracker.batch_size(100) == 1
        tracker.passed([at(offset)])
    assert tracker.batch_size(100) == 100


def test_a_message_that_passes_resets_the_tracker() -> None:
    _, tracker = replay(set(range(1_000)), 1_000, 50)
    tracker.passed([at(MAX_CONSECUTIVE)])
    assert not tracker.tripped


def test_a_dead_letter_that_can_not_be_written_is_tried_again() -> None:
    tracker = PoisonPillTracker()
    for _ in range(TRIES + 3):
        tracker.failed([at(0)], STUMBLED)
    assert tracker.poison([at(0)]) == (TRIES + 3, STUMBLED)


def test_the_tracker_trips_before_every_message_becomes_a_dead_letter() -> None:
    dead_letters, tracker = replay(set(range(1_000)), 1_000, 50)
    assert tracker.tripped
    assert len(dead_letters) == MAX_CONSECUTIVE
    for _ in range(5):
        tracker.failed([at(MAX_CONSECUTIVE)], STUMBLED)
    assert tracker.poison([at(MAX_CONSECUTIVE)]) is None


def test_what_failed_while_the_transform_failed_on_everything_is_tried_again() -> None:
    _, tracker = replay(set(range(1_000)), 1_000, 50)
    first, second = at(MAX_CONSECUTIVE), ("t", 1, 0)
    for _ in range(TRIES):
        tracker.failed([first], STUMBLED)
        tracker.failed([second], STUMBLED)
    tracker.passed([second])
    assert (tracker.tripped, tracker.poison([first])) == (False, None)


def test_a_message_keeps_its_own_error_while_another_passes() -> None:
    tracker, own = PoisonPillTracker(), ValueError("of the first")
    for _ in range(TRIES):
        tracker.failed([at(0)], own)
    tracker.passed([("t", 1, 0)])
    assert tracker.poison([at(0)]) == (TRIES, own)


def test_what_failed_on_a_partition_that_moved_is_dropped() -> None:
    """The new owner handles the message. This stream would wait for it forever."""
    tracker = PoisonPillTracker()
    tracker.failed([at(1)], STUMBLED)
    tracker.passed([("t", 1, 1)])
    assert not tracker.clean
    tracker.assigned({("t", 0)})
    assert not tracker.clean
    tracker.assigned({("t", 1)})
    assert tracker.clean
