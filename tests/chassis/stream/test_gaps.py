"""A stream with gaps between its records answers each of them at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from rondo.chassis.events.broker import create_topics
from rondo.chassis.kafka_records import Records
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.transform import Output
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import BY_NAME, PREDICTIONS_FAILED, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

# Longer than `connections.max.idle.ms`, after which librdkafka closes a connection and has to open another.
GAP_SECONDS = 3.5
# By librdkafka's own settings the backoff exceeds the gap after six of them: 0.1 s, doubled each time.
GAPS = 12


class Copy:
    def __init__(self, target: str) -> None:
        self._target = target

    def __call__(self, messages: Sequence[Any]) -> Output:
        nothing, first = [None] * len(messages), [0] * len(messages)
        return Output([Records(self._target, [m.value() for m in messages], nothing, first)])


@asynccontextmanager
async def running(stream: ExactlyOnceStream) -> AsyncIterator[None]:
    task = asyncio.create_task(stream.run())
    yield
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.slow
async def test_a_record_after_a_gap_is_answered_within_half_a_second(kafka: str) -> None:
    connection, name = KafkaConnection(kafka), uuid4().hex[:8]
    source, target = f"{name}.source", f"{name}.target"
    create_topics(connection, [Topic(each, "test", (), "", partitions=1) for each in (source, target)])
    create_topics(connection, [BY_NAME[PREDICTIONS_FAILED]])
    producer = Producer({**KafkaConnection(kafka).confluent(), "linger.ms": 0})
    consumer = Consumer({**KafkaConnection(kafka).confluent(), "group.id": name, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(target, 0, 0)])

    def ask(number: int) -> float:
        producer.produce(source, b"%d" % number, partition=0)
        producer.flush(10)
        sent = time.perf_counter()
        while (answer := consumer.poll(30)) is not None and answer.error():
            pass
        assert answer is not None
        assert answer.value() == b"%d" % number
        return time.perf_counter() - sent

    settings = StreamSettings(connection, name, "a", (source,), PREDICTIONS_FAILED)
    async with running(ExactlyOnceStream(settings, Copy(target))):
        await asyncio.to_thread(ask, 0)
        seconds = []
        for number in range(1, GAPS + 1):
            await asyncio.sleep(GAP_SECONDS)  # the gap is what is measured
            seconds.append(await asyncio.to_thread(ask, number))
    consumer.close()
    # The median of the later half: one answer may be late on a busy machine.
    assert sorted(seconds[GAPS // 2 :])[GAPS // 4] < 0.5, seconds
