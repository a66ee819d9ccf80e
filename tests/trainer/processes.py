"""The trainer service as a real process, with clients for its topics and its schema."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rondo.chassis.events import broker as chassis_kafka
from rondo.contracts.events import cloudevents
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import TOPICS

from tests.trainer.builders import enveloped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from rondo.contracts.events.base import Event

    from tests.support.processes import ServiceProcess


@dataclass
class Trainer:
    """The process of the trainer, with clients of its topics and its schema."""

    process: ServiceProcess
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    sql: asyncpg.Connection[Any]
    seen: list[tuple[float, Event]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    async def publish(self, event: Event, name: str) -> None:
        """Publish an event as another service would."""
        envelope = enveloped(event, name)
        headers = [(key, value.encode()) for key, value in envelope.headers().items()]
        await self.producer.send_and_wait(event.topic, envelope.value(), key=event.key.encode(), headers=headers)

    async def next_event(self, kind: type[Event], *, within: float = 40) -> Any:
        """Return the next event of a kind, with the loop's time of its arrival. Other kinds stay queued."""
        async with asyncio.timeout(within):
            while True:
                for place, (at, event) in enumerate(self.seen):
                    if isinstance(event, kind):
                        del self.seen[place]
                        return at, event
                await self._read()

    async def _read(self) -> None:
        kinds = {topic.name: topic.event for topic in TOPICS}
        for messages in (await self.consumer.getmany(timeout_ms=200)).values():
            for message in messages:
                headers = {key: value.decode() for key, value in message.headers}
                kind = kinds[message.topic]
                assert kind is not None
                envelope = cloudevents.read(kind, headers, message.value)
                if envelope.id not in self.ids:  # as the inbox of a subscriber would
                    self.ids.add(envelope.id)
                    self.seen.append((asyncio.get_running_loop().time(), envelope.data))

    async def quiet(self, seconds: float = 0.5) -> list[Event]:
        """Return the events without a preceding request, once no more arrive."""
        while True:
            before = len(self.seen)
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                await self._read()
            if len(self.seen) == before:
                return [event for _, event in self.seen]


@asynccontextmanager
async def kafka_clients(bootstrap: str) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
    await chassis_kafka.wait_for_kafka(KafkaConnection(bootstrap))
    written = [topic for topic in TOPICS if topic.writer == "trainer"]
    consumer = AIOKafkaConsumer(
        **KafkaConnection(bootstrap).aiokafka(), auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    producer = AIOKafkaProducer(**KafkaConnection(bootstrap).aiokafka())
    await consumer.start()
    await producer.start()
    try:
        consumer.assign([TopicPartition(topic.name, n) for topic in written for n in range(topic.partitions)])
        yield consumer, producer
    finally:
        await producer.stop()
        await consumer.stop()
