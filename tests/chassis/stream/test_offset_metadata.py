"""A note of the transform is committed with the offset of its partition, and restored by the next owner."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from rondo.chassis.kafka_records import Record, place
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.offset_metadata import OffsetsWithMetadata
from rondo.chassis.stream.transform import Output
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED

from tests.chassis.stream.copies import QUICK, Copy, Topics, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    Restored = dict[tuple[str, int], tuple[int, str]]


class Noting(Copy):
    """Copies messages, and has the number of messages of each partition as its note. It implements `Notes`."""

    def __init__(self, target: str, poison: bytes = b"") -> None:
        super().__init__(target)
        self.poison = poison
        self.counts: dict[tuple[str, int], int] = {}
        self.restored: Restored = {}
        self.extra: list[str] = []

    def restore(self, notes: Mapping[tuple[str, int], tuple[int, str]]) -> None:
        self.restored |= notes
        self.counts |= {each: int(note or 0) for each, (_, note) in notes.items()}

    @property
    def active(self) -> bool:
        return bool(self.extra)

    def __call__(self, messages: Sequence[Any]) -> Output:
        changed = set()
        for message in messages:
            if message.value() == self.poison:
                raise RuntimeError(message.value())
            changed.add(place(message)[:2])
            self.counts[place(message)[:2]] += 1
        records = list(super().__call__(messages).records)
        if self.extra and self.counts:
            each = min(self.counts)
            self.counts[each] += 1_000
            changed.add(each)
            records.append(Record(self.target, self.extra.pop().encode(), partition=0))
        return Output(records, self.committed, self.aborted, {each: str(self.counts[each]) for each in changed})


@asynccontextmanager
async def noting(topics: Topics, transform: Noting) -> AsyncIterator[ExactlyOnceStream]:
    connection = KafkaConnection(topics.bootstrap)
    settings = StreamSettings(connection, topics.name, "a", (topics.source,), PREDICTIONS_FAILED, max_records=10)
    stream = ExactlyOnceStream(settings, transform, QUICK, notes=transform)
    async with running(stream):
        yield stream


def committed(topics: Topics) -> Restored:
    consumer = Consumer({**KafkaConnection(topics.bootstrap).confluent(), "group.id": topics.name})
    found = consumer.committed([TopicPartition(topics.source, each) for each in range(4)], timeout=10)
    consumer.close()
    return {(each.topic, each.partition): (each.offset, each.metadata or "") for each in found if each.offset >= 0}


@pytest.mark.slow
async def test_notes_are_restored_before_the_next_messages_and_cover_all_before(topics: Topics) -> None:
    topics.fill(100)
    async with noting(topics, Noting(topics.target)):
        await asyncio.to_thread(topics.read, 100)
    before = committed(topics)
    assert {int(note) == offset for offset, note in before.values()} == {True}
    assert sum(offset for offset, _ in before.values()) == 100
    topics.fill(100)
    async with noting(topics, again := Noting(topics.target)):
        await asyncio.to_thread(topics.read, 200)
    assert again.restored == before
    assert {int(note) == offset for offset, note in committed(topics).values()} == {True}


@pytest.mark.slow
async def test_a_transform_with_output_of_its_own_is_called_without_messages(topics: Topics) -> None:
    topics.fill(20)
    transform = Noting(topics.target)
    async with noting(topics, transform):
        await asyncio.to_thread(topics.read, 20)
        transform.extra = ["more"]
        found = await asyncio.to_thread(topics.read, 21)
    assert [message.value() for message in found].count(b"more") == 1
    offsets = committed(topics)
    assert sum(offset for offset, _ in offsets.values()) == 20
    assert sum(int(note) for _, note in offsets.values()) == 1_020


@pytest.mark.slow
async def test_a_dead_letter_leaves_the_note_of_its_partition_as_it_is(topics: Topics) -> None:
    topics.fill(20)
    async with noting(topics, transform := Noting(topics.target, poison=b"7")):
        await asyncio.to_thread(topics.read, 19)
        assert len(await asyncio.to_thread(topics.dead_letters, 1)) == 1
    offsets = committed(topics)
    assert sum(offset for offset, _ in offsets.values()) == 20
    assert sum(int(note) for _, note in offsets.values() if note) == 19
    assert transform.aborts == 0


class Unanswering:
    """A consumer to which Kafka does not return the offset of a partition without messages."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("source", 0), TopicPartition("source", 1)]

    def get_watermark_offsets(self, each: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return (0, 5) if each.partition == 1 else (-1001, -1001)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.asked.append([each.partition for each in partitions])
        assert timeout < 1
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_a_partition_without_messages_whose_offset_is_not_known_yet_stops_no_other() -> None:
    consumer, offsets = Unanswering(), OffsetsWithMetadata(Noting("target"))
    offsets.restore(consumer, [])  # type: ignore[arg-type]
    assert consumer.asked == [[1]], "the offset of the other one may be pending for long"
    offsets.restore(consumer, [])  # type: ignore[arg-type]
    assert consumer.asked == [[1]], "it is not asked in each turn"


class Unassigned:
    """A consumer whose partitions were revoked."""

    def assignment(self) -> list[TopicPartition]:
        return []


class Counted(Noting):
    def __init__(self) -> None:
        super().__init__("target")
        self.calls = 0

    def restore(self, notes: Mapping[tuple[str, int], tuple[int, str]]) -> None:
        super().restore(notes)
        self.calls += 1


def test_a_transform_whose_last_partition_has_moved_is_told_once_without_a_message() -> None:
    """Otherwise it would keep notes of another owner until the next message, which may never arrive."""
    transform = Counted()
    offsets = OffsetsWithMetadata(transform)
    offsets.restore(Unassigned(), [])  # type: ignore[arg-type]
    assert transform.calls == 0
    offsets.forget()
    for _ in range(2):
        offsets._looked = 0.0
        offsets.restore(Unassigned(), [])  # type: ignore[arg-type]
    assert transform.calls == 1
