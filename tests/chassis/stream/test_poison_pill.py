"""Which message is given up, over histories of failures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.stream.poison_pill import MAX_GIVEN_UP_IN_A_ROW, TRIES, Isolation, Place


def at(offset: int) -> Place:
    return ("t", 0, offset)


def replay(poison: set[int], count: int, max_records: int) -> tuple[list[int], Isolation]:
    """Run a stream of `count` messages; return what was given up, in order."""
    isolation, given_up, position = Isolation(), [], 0
    while position < count and not isolation.hopeless:
        batch = list(range(position, min(position + isolation.most(max_records), count)))
        places = [at(n) for n in batch]
        if isolation.gives_up(places):
            given_up.append(position)
        elif poison & set(batch):
            isolation.failed(places)
            continue
        isolation.passed(places)
        position += len(batch)
    return given_up, isolation


@given(st.sets(st.integers(0, 60), max_size=MAX_GIVEN_UP_IN_A_ROW - 1), st.integers(1, 20))
def test_what_fails_is_given_up_and_nothing_else(poison: set[int], max_records: int) -> None:
    given_up, isolation = replay(poison, 61, max_records)
    assert given_up == sorted(poison)
    assert not isolation.hopeless


def test_a_failure_that_passes_gives_nothing_up_and_takes_nothing_apart() -> None:
    isolation = Isolation()
    isolation.failed([at(0), at(1)])
    assert isolation.most(100) == 100
    isolation.passed([at(0), at(1)])
    isolation.failed([at(2), at(3)])
    assert isolation.most(100) == 100


def test_a_micro_batch_that_fails_again_comes_one_by_one_until_it_is_through() -> None:
    isolation = Isolation()
    for _ in range(TRIES):
        isolation.failed([at(0), at(1), at(2)])
    for offset in range(3):
        assert isolation.most(100) == 1
        isolation.passed([at(offset)])
    assert isolation.most(100) == 100


def test_what_passes_after_all_ends_the_hopelessness() -> None:
    _, isolation = replay(set(range(1_000)), 1_000, 50)
    isolation.passed([at(MAX_GIVEN_UP_IN_A_ROW)])
    assert not isolation.hopeless


def test_a_message_whose_dead_letter_can_not_be_written_is_given_up_again() -> None:
    isolation = Isolation()
    for _ in range(TRIES + 3):
        isolation.failed([at(0)])
    assert isolation.gives_up([at(0)]) == TRIES + 3


def test_when_everything_fails_it_is_hopeless_before_everything_is_given_up() -> None:
    given_up, isolation = replay(set(range(1_000)), 1_000, 50)
    assert isolation.hopeless
    assert len(given_up) == MAX_GIVEN_UP_IN_A_ROW
    for _ in range(5):
        isolation.failed([at(MAX_GIVEN_UP_IN_A_ROW)])
    assert isolation.gives_up([at(MAX_GIVEN_UP_IN_A_ROW)]) == 0
