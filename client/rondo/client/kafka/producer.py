"""Sends messages with acknowledgement by all replicas, each message once."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from rondo.client.errors import MessageTooLargeError, UnreachableError
from rondo.client.kafka.connection import REQUEST_MS, retry_while_unavailable, translated
from rondo.contracts.topics import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rondo.contracts.kafka_connection import KafkaConnection

# Concurrent requests share a batch. A single request waits no longer than this.
_LINGER_MS = 2
_HEADER_ROOM = 4 * 1024
_FLUSH_SECONDS = 5
_ABORT_SECONDS = 1


class Producer:
    """An idempotent producer that waits while Kafka is unavailable."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._producer = AIOKafkaProducer(
            **kafka.aiokafka(),
            client_id="rondo-client",
            acks="all",
            enable_idempotence=True,
            linger_ms=_LINGER_MS,
            request_timeout_ms=REQUEST_MS,
            max_request_size=max(topic.max_message_bytes for topic in BY_NAME.values()) + _HEADER_ROOM,
        )
        # By default a batch fails if its partition has no leader REQUEST_MS after its creation, for example after a
        # restart of the broker. The client could not know then whether an earlier attempt arrived.
        self._producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001 - aiokafka has no option for it

    async def start(self) -> None:
        """Connect.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        try:
            with translated(self._kafka):
                await self._producer.start()
        except UnreachableError:
            await self._producer.stop()
            raise

    async def stop(self) -> None:
        """Flush and disconnect. Messages that Kafka does not acknowledge within a few seconds are lost."""
        flushing = asyncio.create_task(self._producer.flush())
        done, _ = await asyncio.wait([flushing], timeout=_FLUSH_SECONDS)
        if done:
            await self._producer.stop()
        else:
            flushing.cancel()
            await self._abort()

    async def _abort(self) -> None:
        # An idempotent producer retries without limit, and its `stop` waits for the retries. The first cancellation
        # ends the sender's loop. The second cancels the request that the sender then awaits.
        sender = self._producer._sender.sender_task  # noqa: SLF001
        for _ in range(2):
            sender.cancel()
            await asyncio.wait([sender], timeout=_ABORT_SECONDS)
        self._producer._closed = True  # noqa: SLF001
        await self._producer.client.close()

    async def send(self, topic: str, key: str, value: bytes) -> Awaitable[object]:
        """Put a message into the buffer. Await the result for the acknowledgement by all replicas.

        Both wait while Kafka is unavailable, so the caller sets a limit.

        Raises:
            MessageTooLargeError: the topic does not allow a message of this size.
            UnreachableError: Kafka refuses the message.

        """
        limit = BY_NAME[topic].max_message_bytes
        if len(value) + len(key) > limit:
            raise MessageTooLargeError(topic, limit)
        with translated(self._kafka):
            # This fails only before the message is in the buffer, so a retry can't duplicate it.
            acknowledged = await retry_while_unavailable(lambda: self._producer.send(topic, value, key.encode()))
        return self._acknowledgement(acknowledged)

    async def _acknowledgement(self, acknowledged: asyncio.Future[object]) -> None:
        with translated(self._kafka):
            await acknowledged
