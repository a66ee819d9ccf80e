"""The log of a service is JSON, and its rate is limited."""

from __future__ import annotations

import json
import logging

import pytest
from rondo.chassis.telemetry import JsonFormatter, RateLimitFilter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sparing(clock: Clock) -> RateLimitFilter:
    return RateLimitFilter(30, clock)


def record(message: str, *args: object, name: str = "aiokafka") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, None)


def test_a_repeated_library_message_is_logged_once_an_interval_with_its_count(
    sparing: RateLimitFilter, clock: Clock
) -> None:
    repeated = record("Unable connect to node with id %s: [Errno 111]", 1)
    assert sparing.filter(repeated)
    assert [sparing.filter(record("Unable connect to node with id %s: [Errno 111]", n)) for n in range(400)] == [
        False
    ] * 400
    clock.now = 29.9
    assert not sparing.filter(record("Unable connect to node with id 7: [Errno 104]"))
    clock.now = 30
    again = record("Unable connect to node with id 7: [Errno 104]")
    assert sparing.filter(again)
    line = json.loads(JsonFormatter("serving").format(again))
    assert (line["message"], line["held_back"]) == ("Unable connect to node with id 7: [Errno 104]", 401)
    assert "held_back" not in json.loads(JsonFormatter("serving").format(repeated))


def test_other_words_and_other_loggers_are_something_else(sparing: RateLimitFilter) -> None:
    assert sparing.filter(record("GroupCoordinatorNotAvailableError"))
    assert sparing.filter(record("NotLeaderForPartitionError"))
    assert sparing.filter(record("NotLeaderForPartitionError", name="aiokafka.producer.sender"))


def test_our_own_messages_are_never_held_back(sparing: RateLimitFilter) -> None:
    assert all(sparing.filter(record("the outbox waits", name="rondo.chassis.postgres.outbox")) for _ in range(3))
    assert [sparing.filter(record("closed", name="rondo.faststream")) for _ in range(2)] == [True, False]


@pytest.mark.medium
def test_a_library_that_never_repeats_itself_fills_no_memory(sparing: RateLimitFilter) -> None:
    for number in range(3_000):
        assert sparing.filter(record("x" * number))
    assert len(sparing._said) <= 1_000
