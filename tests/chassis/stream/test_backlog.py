"""The time at which the backlog of a follower has been read."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, Message
from rondo.chassis.stream.follower import Backlog

ENDS = {("a", 0): 10, ("b", 1): 5}


def read_at(ends: dict[tuple[str, int], int], *batches: list[Any]) -> list[int]:
    """Return the numbers of the batches at which the backlog was read."""
    found, turns = 0, []
    backlog = Backlog(ends, lambda: turns.append(found))
    for found, batch in enumerate(batches):  # noqa: B007 - the callback reads it
        backlog.read(batch)
    return turns


def message(topic: str, partition: int, offset: int) -> Message:
    return Message(topic, partition, offset)


def end(topic: str, partition: int, offset: int) -> Message:
    return Message(topic, partition, offset, error=KafkaError(KafkaError._PARTITION_EOF))


def test_a_message_at_the_end_or_beyond_completes_a_partition() -> None:
    assert read_at(ENDS, [message("a", 0, 8)], [message("a", 0, 9)], [message("b", 1, 7)], []) == [2]


def test_a_partition_that_ends_behind_a_transaction_was_read() -> None:
    assert read_at(ENDS, [message("a", 0, 8), message("b", 1, 4)], [end("a", 0, 10)], [end("a", 0, 10)]) == [1]


def test_an_empty_backlog_is_complete_at_once() -> None:
    assert read_at({}, [], [message("a", 0, 3)]) == [0]


def test_an_error_of_no_partition_completes_nothing() -> None:
    unavailable: Any = Message(error=KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert read_at(ENDS, [unavailable], [message("c", 0, 99)]) == []
