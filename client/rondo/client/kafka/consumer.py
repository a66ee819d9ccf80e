"""Reads topics without a consumer group."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from rondo.client.errors import NotFoundError
from rondo.client.kafka.connection import REQUEST_MS, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from rondo.contracts.kafka_connection import KafkaConnection

_FETCH_WAIT_MS = 100


@asynccontextmanager
async def consumer_of(kafka: KafkaConnection, topics: Sequence[str], **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer of all partitions of the topics. It reads committed messages and stores no offsets.

    Raises:
        UnreachableError: Kafka does not answer.
        NotFoundError: a topic does not exist.

    """
    consumer = AIOKafkaConsumer(
        **kafka.aiokafka(),
        client_id=f"rondo-client-{uuid4().hex[:8]}",
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        **options,
    )
    try:
        with translated(kafka):
            await consumer.start()
        # Partitions are assigned manually. A subscription loses its positions if a restarting broker reports other
        # partitions for a moment, and waits without an error for a topic that does not exist.
        consumer.assign(await _partitions(kafka, topics))
        yield consumer
    finally:
        await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    # While Kafka is unavailable, aiokafka's `stop` cancels its own requests, awaits them, and raises their
    # CancelledError before it disconnects. In a separate task this error does not reach the caller.
    await asyncio.wait([asyncio.create_task(consumer.stop())])
    await consumer._client.close()  # noqa: SLF001


async def _partitions(kafka: KafkaConnection, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**kafka.aiokafka(), request_timeout_ms=REQUEST_MS)
    try:
        with translated(kafka):
            await admin.start()
            known = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    finally:
        await admin.close()
    missing = [topic for topic in topics if topic not in known]
    if missing:
        names = " or ".join(sorted(missing))
        raise NotFoundError(f"Kafka at {kafka} has no topic {names} yet: the services create it when they start")
    return [TopicPartition(topic, each["partition"]) for topic in topics for each in known[topic]]
