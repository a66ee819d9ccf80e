"""Requests that serving could not answer, read back from their dead letters: which they were, and why."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from rondo.client import messages
from rondo.client.kafka.connection import reading, translated
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiokafka import AIOKafkaConsumer

# How far back (offsets of each partition) is looked for the last ones.
LOOK_BACK = 10_000


class Failed(BaseModel):
    """A request that was refused: `reason` is the short name, `message` says what to send instead.

    A request of another form may have no id or model that can be read.
    """

    model_config = ConfigDict(frozen=True)

    id: str | None
    model: str | None
    reason: str
    message: str
    failed_at: datetime


async def failed(bootstrap: str, model: str | None, last: int, *, follow: bool) -> AsyncGenerator[Failed, None]:
    """Yield the `last` requests that were refused (of one model, where it is named), oldest first.

    With `follow` it then goes on with those that are refused from now on, until closed.

    Raises:
        UnreachableError: Kafka does not answer.
        NotFoundError: the topic does not exist yet.

    """
    async with reading(bootstrap, (PREDICTIONS_FAILED,)) as consumer:
        for letter in await _latest(consumer, bootstrap, model, last):
            yield letter
        while follow:
            for letter in await _fetched(consumer, bootstrap, model):
                yield letter


async def _latest(consumer: AIOKafkaConsumer, bootstrap: str, model: str | None, last: int) -> list[Failed]:
    found: deque[Failed] = deque(maxlen=LOOK_BACK)
    with translated(bootstrap):
        ends = await consumer.end_offsets(consumer.assignment())
        starts = await consumer.beginning_offsets(consumer.assignment())
        for partition, end in ends.items():
            consumer.seek(partition, max(starts[partition], end - LOOK_BACK))
        while [p for p, end in ends.items() if await consumer.position(p) < end]:
            found += await _fetched(consumer, bootstrap, model)
    return sorted(found, key=lambda letter: letter.failed_at)[-last:]


async def _fetched(consumer: AIOKafkaConsumer, bootstrap: str, model: str | None) -> list[Failed]:
    with translated(bootstrap):
        fetched = await consumer.getmany(timeout_ms=500)
    letters = [read(message) for of_one in fetched.values() for message in of_one]
    return [letter for letter in letters if model is None or letter.model == model]


def read(message: Any) -> Failed:
    """Read a dead letter, whatever its value is."""
    refusal = messages.decode_refusal("", message.headers)
    return Failed(
        id=messages.id_of(message.value),
        model=messages.model_of(message.value),
        reason=refusal.code,
        message=refusal.reason,
        failed_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
