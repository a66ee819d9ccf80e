"""A stream that copies a separate topic on a real broker, and the records that a reader sees."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from rondo.chassis.errors import Backoff
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.kafka_records import Record, Records
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.transform import Output, Transform
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import BY_NAME, PREDICTIONS_FAILED, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

QUICK = Backoff(first=0.01, cap=0.05)


_READ_SECONDS = 60.0


class Copy:
    """Copies values with their keys and partitions, once `fails` calls have failed."""

    def __init__(self, target: str, fails: int = 0) -> None:
        self.target, self.fails = target, fails
        self.calls = self.commits = self.aborts = 0

    def __call__(self, messages: Sequence[Any]) -> Output:
        self.calls += 1
        if self.calls <= self.fails:
            message = "the transform stumbled"
            raise RuntimeError(message)
        return Output(list(self.records(messages)), self.committed, self.aborted)

    def records(self, messages: Sequence[Any]) -> Iterable[Record | Records]:
        values, keys = [m.value() for m in messages], [m.key() for m in messages]
        yield Records(self.target, values, keys, [m.partition() for m in messages])

    def committed(self) -> None:
        self.commits += 1

    def aborted(self) -> None:
        self.aborts += 1


class Topics:
    """Two topics that only this test uses."""

    def __init__(self, bootstrap: str, partitions: int = 4) -> None:
        self.bootstrap, self.name, self.partitions = bootstrap, uuid4().hex[:8], partitions
        self.source, self.target = f"source-{self.name}", f"target-{self.name}"
        topics = [Topic(name, "test", (), "", partitions=partitions) for name in (self.source, self.target)]
        chassis_kafka.create_topics(KafkaConnection(bootstrap), [*topics, BY_NAME[PREDICTIONS_FAILED]])

    def fill(self, count: int) -> None:
        producer = Producer(KafkaConnection(self.bootstrap).confluent())
        for number in range(count):
            producer.produce(self.source, b"%d" % number, b"k%d" % number)
        producer.flush(10)

    def read(self, count: int) -> list[Any]:
        """Return the records that a read_committed reader sees: at least `count`, and those of half a second after.

        After a minute it returns the records so far, because a failing test must end.
        """
        return self._read(self.target, self.partitions, count, lambda _: True)

    def dead_letters(self, count: int) -> list[Any]:
        """Return the dead letters of this test's source, in the same way."""
        source = ("__dlq.errors.topic", self.source.encode())
        return self._read(PREDICTIONS_FAILED, 6, count, lambda message: source in message.headers())

    def _read(self, topic: str, partitions: int, count: int, mine: Callable[[Any], bool]) -> list[Any]:
        consumer = Consumer(
            {**KafkaConnection(self.bootstrap).confluent(), "group.id": "r", "isolation.level": "read_committed"}
        )
        consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        found: list[Any] = []
        until = time.monotonic() + _READ_SECONDS
        while len(found) < count and time.monotonic() < until:
            found += filter(mine, consumer.consume(1000, 0.1))
        found += filter(mine, consumer.consume(1000, 0.5))
        consumer.close()
        return found

    def stream(self, transform: Transform, instance: str = "a", **more: Any) -> ExactlyOnceStream:
        settings = StreamSettings(
            KafkaConnection(self.bootstrap), self.name, instance, (self.source,), PREDICTIONS_FAILED, **more
        )
        return ExactlyOnceStream(settings, transform, QUICK)


@asynccontextmanager
async def running(stream: ExactlyOnceStream) -> AsyncIterator[None]:
    task = asyncio.create_task(stream.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def unconnected(moved: Callable[[Any], object] = lambda _: None, **more: Any) -> ExactlyOnceStream:
    settings = StreamSettings(KafkaConnection("nowhere:1"), "s", "a", ("source",), "failed", **more)
    return ExactlyOnceStream(settings, Copy("target"), moved=moved)
