"""Requests that serving could not answer, read from the topic `predictions.failed`."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from rondo.client import messages
from rondo.client.kafka.connection import translated
from rondo.client.kafka.consumer import consumer_of
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiokafka import AIOKafkaConsumer

    from rondo.contracts.kafka_connection import KafkaConnection

# The number of offsets of each partition that are searched for the last requests.
LOOK_BACK = 10_000


class FailedRequest(BaseModel):
    """A refused request. `reason` is the error code, `message` says what to send instead.

    `id` and `model` are None where the request is malformed and has none that can be read.
    """

    model_config = ConfigDict(frozen=True)

    id: str | None
    model: str | None
    reason: str
    message: str
    failed_at: datetime


async def failed_requests(
    kafka: KafkaConnection, model: str | None, last: int, *, follow: bool
) -> AsyncGenerator[FailedRequest, None]:
    """Yield the `last` refused requests (of `model`, unless it is None), oldest first.

    With `follow` it continues with new ones until it is closed.

    Raises:
        UnreachableError: Kafka does not answer.
        NotFoundError: the topic does not exist yet.

    """
    async with consumer_of(kafka, (PREDICTIONS_FAILED,)) as consumer:
        for failed in await _latest(consumer, kafka, model, last):
            yield failed
        while follow:
            for failed in await _fetch(consumer, kafka, model):
                yield failed


async def _latest(
    consumer: AIOKafkaConsumer, kafka: KafkaConnection, model: str | None, last: int
) -> list[FailedRequest]:
    found: deque[FailedRequest] = deque(maxlen=LOOK_BACK)
    with translated(kafka):
        ends = await consumer.end_offsets(consumer.assignment())
        starts = await consumer.beginning_offsets(consumer.assignment())
        for partition, end in ends.items():
            consumer.seek(partition, max(starts[partition], end - LOOK_BACK))
        while [p for p, end in ends.items() if await consumer.position(p) < end]:
            found += await _fetch(consumer, kafka, model)
    return sorted(found, key=lambda failed: failed.failed_at)[-last:]


async def _fetch(consumer: AIOKafkaConsumer, kafka: KafkaConnection, model: str | None) -> list[FailedRequest]:
    with translated(kafka):
        fetched = await consumer.getmany(timeout_ms=500)
    requests = [decode(message) for of_partition in fetched.values() for message in of_partition]
    return [failed for failed in requests if model is None or failed.model == model]


def decode(message: Any) -> FailedRequest:
    """Read a dead letter; its value may be anything."""
    refusal = messages.decode_refusal("", message.headers)
    return FailedRequest(
        id=messages.id_of(message.value),
        model=messages.model_of(message.value),
        reason=refusal.code,
        message=refusal.reason,
        failed_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
