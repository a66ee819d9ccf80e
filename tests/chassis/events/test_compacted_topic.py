"""A compacted topic is read as a table: first the whole topic, then each change. Unreadable records are skipped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import ClassVar
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.contracts.events.base import ModelEvent
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import Topic

from tests.chassis.unreadable import UNREADABLE, send_batch


class ShareChanged(ModelEvent):
    """A share changed."""

    topic: ClassVar[str] = f"shares-{uuid4().hex[:8]}"
    share: int


def send(bootstrap: str, share: int | None, raw: bytes | None = None) -> None:
    producer = Producer(KafkaConnection(bootstrap).confluent())
    if share is None:
        producer.produce(ShareChanged.topic, raw, "delay")
    else:
        envelope = Envelope(str(uuid4()), "test", datetime.now(UTC), ShareChanged(model="delay", share=share))
        headers: list[tuple[str, str | bytes | None]] = list(envelope.headers().items())
        producer.produce(ShareChanged.topic, envelope.value(), "delay", headers=headers)
    producer.flush(10)


async def test_everything_is_read_then_every_change(kafka: str) -> None:
    chassis_kafka.create_topics(KafkaConnection(kafka), [Topic(ShareChanged.topic, "test", (), "", cleanup="compact")])
    for share in (1, 2):
        send(kafka, share)
    send(kafka, None, b"not an event")
    await send_batch(kafka, ShareChanged.topic, (b"no event either", [UNREADABLE]))
    send(kafka, None)  # a tombstone
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def on_change(envelope: Envelope[ShareChanged]) -> None:
        await seen.put(envelope.data.share)

    table = CompactedTopic(KafkaConnection(kafka), ShareChanged, on_change)
    with pytest.raises(UnavailableError) as caught:
        await table.check()
    assert ShareChanged.topic in caught.value.what
    task = asyncio.create_task(table.run())
    await table.caught_up.wait()
    await table.check()
    assert [seen.get_nowait(), seen.get_nowait()] == [1, 2]
    send(kafka, 3)
    assert await seen.get() == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
