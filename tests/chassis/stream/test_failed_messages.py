"""The messages that a follower skips, in a simulation with a checkpoint that may be older than the failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.stream.failed_messages import MAX_FAILURES, TRIES, FailedMessages

if TYPE_CHECKING:
    from collections.abc import Callable


class EndedError(Exception):
    """The follower ends."""


def read(end: int, is_bad: Callable[[int], bool], saved_every: int, batch: int) -> tuple[list[int], int]:
    """Read messages 0 to `end`. Return those that were skipped, and the failures."""
    tracker, skipped, failures = FailedMessages(), set[int](), 0
    saved = at = 0
    while at < end:
        offsets = range(at, min(at + tracker.batch_size(batch), end))
        places = [("log", 0, offset) for offset in offsets]
        if tracker.is_skipped(places):
            skipped.add(at)
        elif any(map(is_bad, offsets)):
            failures += 1
            if not tracker.failed(places):
                raise EndedError(sorted(skipped))
            at = saved
            continue
        if not tracker.clean:
            tracker.passed(places)
        at = offsets[-1] + 1
        if at - saved >= saved_every:
            saved = at
    return sorted(skipped), failures


@given(
    st.sets(st.integers(0, 99), max_size=9), st.integers(1, 40), st.integers(1, 20)
)  # fewer than those of which the program is blamed
def test_those_that_fail_are_skipped_and_no_other(bad: set[int], saved_every: int, batch: int) -> None:
    skipped, failures = read(100, bad.__contains__, saved_every, batch)
    assert skipped == sorted(bad)
    # Once with others, and alone as often as it takes. Again if it is read again for a later one.
    assert failures <= (TRIES + 1) * len(bad) * (len(bad) + 1)


def test_a_failure_that_does_not_happen_again_skips_nothing() -> None:
    failing = iter([True])
    skipped, failures = read(100, lambda offset: offset == 50 and next(failing, False), 10, 20)
    assert (skipped, failures) == ([], 1)


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("saved_every", [1, 1_000])
def test_where_everything_fails_the_follower_ends(saved_every: int, batch: int) -> None:
    with pytest.raises(EndedError) as caught:
        read(1_000, lambda offset: offset >= 100, saved_every, batch)
    assert len(caught.value.args[0]) <= MAX_FAILURES / TRIES


def test_a_failure_without_a_message_ends_the_follower() -> None:
    assert not FailedMessages().failed([])
