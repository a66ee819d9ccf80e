"""Repeated requests, found from ids, times and committed answers alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from rondo.serving.stream.repeated_requests import Found, RepeatedRequests

from tests.serving.stream.committed import Committed

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW = 60.0


class Clock:
    """Seconds since the epoch, set by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Replica:
    """The repeated requests of a replica, with the committed answers and the time."""

    def __init__(self, capacity: int = 100, **windows: float) -> None:
        self.committed, self.clock = Committed(), Clock()
        self.windows = windows or {"delay": WINDOW}
        self.repeats = RepeatedRequests(self.committed, capacity, self.clock)

    def find(self, *ids: str, partitions: Sequence[int] | None = None, model: str = "delay") -> Found:
        self.repeats.follow(self.windows)
        return self.repeats.find(model, self.windows, ids, partitions or [0] * len(ids), [b""] * len(ids))

    def keep(self, *ids: str, partition: int = 0, model: str = "delay") -> None:
        answers = [f"{model} {each} at {self.clock.seconds:g}".encode() for each in ids]
        self.repeats.keep(model, self.windows, ids, [partition] * len(ids), answers, self.clock())

    def answered(self, each: str, partition: int = 0, model: str = "delay") -> bytes | None:
        """Return the earlier answer that a request gets again. None if the request is scored."""
        return self.find(each, partitions=[partition], model=model).answers.get(0)


def forgotten(model: str = "delay") -> float:
    return REGISTRY.get_sample_value("rondo_deduplication_forgotten_answers_total", {"model": model}) or 0.0


def test_an_id_is_answered_again_within_the_window_and_anew_after_it() -> None:
    replica = Replica()
    assert replica.find("a").new == [0]
    replica.keep("a")
    replica.clock.seconds += WINDOW
    assert replica.answered("a") == b"delay a at 1e+06"
    replica.clock.seconds += 1
    assert replica.answered("a") is None


def test_a_repetition_does_not_prolong_the_window() -> None:
    replica = Replica()
    replica.find("a")
    replica.keep("a")
    for _ in range(3):
        replica.clock.seconds += WINDOW / 3
        assert replica.answered("a") is not None
    replica.clock.seconds += 1
    assert replica.answered("a") is None


def test_the_first_of_a_micro_batch_is_answered_and_the_others_repeat_it() -> None:
    assert Replica().find("a", "b", "a", "a", "b") == Found([0, 1], {}, [[(0, 0), (2, 0), (3, 0)], [(1, 1), (4, 1)]])


def test_an_id_is_known_by_model_and_by_partition() -> None:
    replica = Replica(delay=WINDOW, price=WINDOW)
    replica.find("a")
    replica.keep("a")
    assert replica.answered("a", model="price") is None
    assert replica.answered("a", partition=1) is None
    assert replica.find("a", "a", partitions=[1, 2]).new == [0, 1]


def test_what_another_replica_has_committed_is_read_back_once_for_each_partition() -> None:
    replica = Replica()
    replica.committed.add("a", b"theirs", replica.clock.seconds - WINDOW)
    replica.committed.add("a", b"their repetition", replica.clock.seconds - 1)
    replica.committed.add("old", b"too old", replica.clock.seconds - WINDOW - 1)
    assert replica.answered("a") == b"theirs"
    assert replica.answered("old") is None
    replica.find("a", "b", partitions=[0, 3])
    replica.find("a", "b", partitions=[3, 0])
    assert replica.committed.asked == [{0}, {3}]


def test_after_an_abort_or_a_move_only_what_is_committed_is_known() -> None:
    replica = Replica()
    replica.find("a", "b")
    replica.keep("a", "b")
    replica.committed.add("b", b"committed", replica.clock.seconds)
    replica.repeats.forget()
    assert replica.answered("a") is None
    assert replica.answered("b") == b"committed"
    assert replica.committed.asked == [{0}, {0}]


def test_only_a_partition_that_moved_is_read_back() -> None:
    replica = Replica()
    for partition in (0, 1):
        replica.find("a", partitions=[partition])
        replica.keep("a", partition=partition)
    replica.committed.add("a", b"of the owner in between", replica.clock.seconds, partition=1)
    replica.repeats.forget({1})
    assert replica.answered("a") == b"delay a at 1e+06"
    assert replica.answered("a", partition=1) == b"of the owner in between"
    assert replica.committed.asked == [{0}, {1}, {1}]


def test_a_model_that_gets_a_window_or_a_longer_one_is_read_back_and_the_answers_in_flight_stay() -> None:
    replica = Replica()
    replica.find("a")
    replica.keep("a")
    replica.committed.add("p", b"price p", replica.clock.seconds, model="price")
    replica.committed.add("c", b"committed", replica.clock.seconds - 2 * WINDOW)
    replica.windows = {"delay": WINDOW, "price": WINDOW}
    assert replica.answered("p", model="price") == b"price p"
    assert replica.answered("a") is not None
    assert replica.answered("c") is None
    replica.windows = {"delay": 3 * WINDOW, "price": WINDOW}
    assert replica.answered("c") == b"committed"
    assert replica.answered("a") is not None
    replica.windows = {"delay": WINDOW}
    assert replica.answered("c") is None
    assert len(replica.committed.asked) == 3


@pytest.mark.parametrize("between", [{"delay": WINDOW / 10}, {"price": WINDOW}, {}])
def test_what_was_dropped_or_not_kept_under_a_shorter_window_is_read_back(between: dict[str, float]) -> None:
    replica = Replica()
    replica.find("a")
    replica.keep("a")
    replica.committed.add("a", b"the first", replica.clock.seconds)
    replica.clock.seconds += WINDOW / 2
    replica.windows = between
    replica.repeats.follow(between)
    replica.committed.add("b", b"meanwhile", replica.clock.seconds)
    for model in between:
        replica.find("x", model=model)
        replica.keep("x", model=model)
    replica.windows = {"delay": WINDOW}
    assert [replica.answered(each) is not None for each in "ab"] == [True, True]


def test_the_capacity_drops_the_oldest_and_is_counted_and_the_window_is_not() -> None:
    replica, before = Replica(capacity=3), forgotten()
    replica.find("a")
    replica.keep("a", "b", "c", "d", "e")
    assert [replica.answered(each) is not None for each in "abcde"] == [False, False, True, True, True]
    assert forgotten() - before == 2
    replica.clock.seconds += WINDOW + 1
    replica.keep("f")
    assert [replica.answered(each) is not None for each in "cdef"] == [False, False, False, True]
    assert forgotten() - before == 2


def test_the_capacity_bounds_what_is_read_back() -> None:
    replica, before = Replica(capacity=2), forgotten()
    for number in range(10):
        replica.committed.add(f"{number}", b"", replica.clock.seconds)
    assert [replica.answered(f"{number}") is not None for number in range(10)] == [False] * 8 + [True] * 2
    assert forgotten() - before == 8


def test_an_answer_past_its_own_window_that_a_longer_one_keeps_is_not_counted_as_forgotten() -> None:
    replica = Replica(capacity=2, delay=WINDOW, price=10 * WINDOW)
    replica.find("a")
    replica.keep("a", "b")
    replica.clock.seconds += 2 * WINDOW
    before = forgotten()
    replica.keep("p", "q", model="price")
    assert (replica.answered("p", model="price") is not None, forgotten() - before) == (True, 0)


@pytest.mark.parametrize("seconds", [0.0, WINDOW + 1])
def test_an_id_that_is_answered_anew_has_the_window_of_its_new_answer(seconds: float) -> None:
    replica = Replica()
    replica.find("a")
    replica.keep("a", "b")
    replica.clock.seconds += WINDOW + 1
    replica.keep("a")
    replica.clock.seconds += seconds
    assert (replica.answered("a") is not None) is (seconds <= WINDOW)
