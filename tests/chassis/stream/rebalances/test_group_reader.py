"""Partitions are paused while callbacks run, and read again afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicPartition

from tests.chassis.stream.copies import unconnected
from tests.chassis.stream.test_overlap import Message, gather

if TYPE_CHECKING:
    from rondo.chassis.stream.group_reader import GroupReader

UNREAD = -1001


class Assigned:
    """A consumer of partitions with the offsets of their next messages. It records the calls about them.

    The next call of `consume` assigns the partitions in `coming`, and revokes those in `leaving`.
    """

    def __init__(self, reader: GroupReader, positions: dict[int, int]) -> None:
        self.reader, self.positions = reader, positions
        self.coming, self.leaving = list[int](), list[int]()
        self.paused, self.calls = set[int](), list[tuple[str, list[int]]]()
        self.polls = 0
        reader._consumer = self

    def consume(self, count: int, _: float) -> list[Message]:
        self.polls += 1
        if self.leaving:
            self.reader.on_revoke(self, _places(self.leaving))  # type: ignore[arg-type]
            for each in self.leaving:
                del self.positions[each]
        if self.coming:
            self.reader.on_assign(self, _places(self.coming))  # type: ignore[arg-type]
            self.positions |= dict.fromkeys(self.coming, UNREAD)
        self.coming, self.leaving = [], []
        return [Message(each) for each in self.positions if each not in self.paused][:count]

    def assignment(self) -> list[TopicPartition]:
        return _places(self.positions)

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, self.positions[each.partition]) for each in partitions]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._record("pause", partitions)
        self.paused |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._record("resume", partitions)
        self.paused -= {each.partition for each in partitions}

    def _record(self, name: str, partitions: list[TopicPartition]) -> None:
        self.calls.append((name, [each.partition for each in partitions]))


def _places(numbers: Any) -> list[TopicPartition]:
    return [TopicPartition("source", number) for number in numbers]


def test_a_partition_that_comes_while_callbacks_run_is_not_paused() -> None:
    """A pause before its first fetch could silence it for good."""
    reader = unconnected(linger=0.0)._reader
    consumer = Assigned(reader, {0: 5, 1: UNREAD})
    consumer.coming = [2]
    for _ in range(3):
        reader.serve()
    assert consumer.calls == [("pause", [0])]
    gather(reader)
    assert consumer.calls == [("pause", [0]), ("resume", [0])]
    reader.serve()
    assert consumer.calls[2:] == [("pause", [0])]


def test_a_paused_partition_that_leaves_is_not_paused_when_it_comes_back() -> None:
    reader = unconnected(linger=0.0)._reader
    consumer = Assigned(reader, {0: 5, 1: 5})
    reader.serve()
    consumer.leaving = [1]
    reader.serve()
    consumer.coming = [1]
    reader.serve()
    assert consumer.paused == {0}
    gather(reader)
    assert consumer.paused == set()
    assert consumer.calls == [("pause", [0, 1]), ("resume", [1]), ("resume", [0])]


def test_callbacks_run_while_messages_that_were_put_back_fill_micro_batches() -> None:
    reader = unconnected(linger=0.0)._reader
    consumer = Assigned(reader, {0: 5, 1: 5})
    messages: list[Any] = [Message(number % 2) for number in range(10)]
    reader.put_back(messages, reader.epochs({("source", 0), ("source", 1)}))
    assert len(gather(reader, 1)) == 1
    assert consumer.polls == 1
    consumer.leaving = [1]
    assert {message.partition() for _ in range(4) for message in gather(reader, 1)} == {0}
    assert len(reader._held) == 0, "messages of the partition that left are dropped"
    gather(reader, 1)
    assert consumer.paused == set()
