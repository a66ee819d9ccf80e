"""Reads a compacted topic as a table: the whole topic from its beginning, then each change.

It uses no consumer group and saves no offset. After `caught_up` a process has the whole table, and needed only Kafka.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from rondo.chassis import metrics
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.events.fallback_consumer import TolerantConsumer
from rondo.chassis.retry import Retry
from rondo.contracts.events import cloudevents
from rondo.contracts.events.base import Event
from rondo.contracts.events.cloudevents import Envelope, MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
E = TypeVar("E", bound=Event)


class CompactedTopic(Generic[E]):
    """Calls `on_change` with each event of a compacted topic, in order per key."""

    def __init__(
        self, kafka: KafkaConnection, event: type[E], on_change: Callable[[Envelope[E]], Awaitable[None]]
    ) -> None:
        self._kafka = kafka
        self._event = event
        self._on_change = on_change
        self._trouble = ""
        self._retry = Retry(event.topic, (KafkaError, OSError), Backoff(first=0.2), self._note)
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled. While Kafka is unavailable the table stays valid. Afterwards it is read again."""
        await self._retry.call(self._read)

    def _note(self, error: Exception) -> None:
        self._trouble = f"reading fails: {error}"

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: the topic has not been read to its end since the start, or since the last failure.

        """
        if self._trouble or not self.caught_up.is_set():
            raise UnavailableError(f"the table {self._event.topic}", self._trouble or "not read to its end yet")

    async def _read(self) -> None:
        consumer = TolerantConsumer(
            self._event.topic,
            kafka=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            partitions = [
                TopicPartition(self._event.topic, p) for p in consumer.partitions_for_topic(self._event.topic) or ()
            ]
            missing = dict(await consumer.end_offsets(partitions))
            while True:
                for partition in [p for p, end in missing.items() if await consumer.position(p) >= end]:
                    del missing[partition]
                if not missing:
                    self._trouble = ""
                    self._retry.progressed()
                    self.caught_up.set()
                # There is a timeout, because the topic may end with the marker of a transaction, which is not a
                # message.
                if message := await consumer.within(_LOOK_SECONDS):
                    await self._take(message.headers, message.value)
        finally:
            await consumer.stop()

    async def _take(self, headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> None:
        if value is None:
            return  # a tombstone means that the key was deleted
        try:
            envelope = cloudevents.read(
                self._event, {k: (v or b"").decode(errors="replace") for k, v in headers}, value
            )
        except MalformedEventError as error:
            # There is no offset to commit later and no dead letter to write, so the last valid value stays in force.
            log.error("skipped a message of %s: %s", self._event.topic, error)  # noqa: TRY400
            metrics.EVENTS_HANDLED.labels(self._event.__name__, "malformed").inc()
            return
        await self._on_change(envelope)
