"""Requests that serving could not answer, and outcomes that ingestion refused, read from their dead letters."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from rondo.client import messages
from rondo.client.kafka.connection import translated
from rondo.client.kafka.consumer import consumer_of
from rondo.contracts.events.predictions import OutcomeObserved
from rondo.contracts.topics import PREDICTIONS_FAILED, dead_letters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiokafka import AIOKafkaConsumer

    from rondo.contracts.kafka_connection import KafkaConnection

# The number of offsets of each partition that are searched for the last requests.
LOOK_BACK = 10_000
_ORIGIN = "__dlq.errors.topic"


@dataclass(frozen=True)
class Source:
    """A topic of dead letters. With `origin`, only those that came from that topic."""

    topic: str
    origin: str | None = None

    def has(self, message: Any) -> bool:
        """Return whether a dead letter belongs to this source."""
        return self.origin is None or dict(message.headers).get(_ORIGIN, b"").decode() == self.origin


REQUESTS = Source(PREDICTIONS_FAILED)
OUTCOMES = Source(dead_letters("ingestion"), OutcomeObserved.topic)


class FailedRequest(BaseModel):
    """A refused request or outcome. `reason` is the error code, `message` says what to send instead.

    `id` and `model` are None if the message lacks them or is malformed. `entity` is the entity of an outcome.
    """

    model_config = ConfigDict(frozen=True)

    id: str | None
    entity: str | None = None
    model: str | None
    reason: str
    message: str
    failed_at: datetime


async def failed_requests(
    kafka: KafkaConnection, source: Source, model: str | None, last: int, *, follow: bool
) -> AsyncGenerator[FailedRequest, None]:
    """Yield the `last` dead letters of a source, the oldest first. `model` selects those of one model.

    With `follow`, yield new dead letters next, until the generator is closed.

    Raises:
        UnreachableError: Kafka does not answer.
        NotFoundError: the topic does not exist yet.

    """
    async with consumer_of(kafka, (source.topic,)) as consumer:
        for failed in await _latest(consumer, kafka, source, model, last):
            yield failed
        while follow:
            for failed in await _fetch(consumer, kafka, source, model):
                yield failed


async def _latest(
    consumer: AIOKafkaConsumer, kafka: KafkaConnection, source: Source, model: str | None, last: int
) -> list[FailedRequest]:
    found: deque[FailedRequest] = deque(maxlen=LOOK_BACK)
    with translated(kafka):
        ends = await consumer.end_offsets(consumer.assignment())
        starts = await consumer.beginning_offsets(consumer.assignment())
        for partition, end in ends.items():
            consumer.seek(partition, max(starts[partition], end - LOOK_BACK))
        while [p for p, end in ends.items() if await consumer.position(p) < end]:
            found += await _fetch(consumer, kafka, source, model)
    return sorted(found, key=lambda failed: failed.failed_at)[-last:]


async def _fetch(
    consumer: AIOKafkaConsumer, kafka: KafkaConnection, source: Source, model: str | None
) -> list[FailedRequest]:
    with translated(kafka):
        fetched = await consumer.getmany(timeout_ms=500)
    messages_of_source = (each for of_partition in fetched.values() for each in of_partition if source.has(each))
    return [failed for failed in map(decode, messages_of_source) if model is None or failed.model == model]


def decode(message: Any) -> FailedRequest:
    """Decode a dead letter, whose value may be any bytes."""
    refusal = messages.decode_refusal("", message.headers)
    return FailedRequest(
        id=messages.id_of(message.value),
        entity=messages.entity_of(message.value),
        model=messages.model_of(message.value),
        reason=refusal.code,
        message=refusal.reason,
        failed_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
