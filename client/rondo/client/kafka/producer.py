"""Sending: acknowledged by all replicas, each message once."""

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

# Concurrent requests share a batch. A single one waits no longer than this.
_LINGER_MS = 2
_HEADER_ROOM = 4 * 1024
_FLUSH_SECONDS = 5
_ABORT_SECONDS = 1


class Producer:
    """An idempotent producer that waits as long as Kafka is unavailable."""

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
        # By default a batch fails if its partition has no leader REQUEST_MS after its creation, as after a restart of
        # the broker. Whether an earlier attempt arrived would be unknown then.
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
        """Flush and disconnect. Messages that Kafka does not acknowledge within some seconds are abandoned."""
        flushing = asyncio.create_task(self._producer.flush())
        done, _ = await asyncio.wait([flushing], timeout=_FLUSH_SECONDS)
        if done:
            await self._producer.stop()
        else:
            flushing.cancel()
            await self._abort()

    async def _abort(self) -> None:
        # An idempotent producer retries without limit, and its `stop` waits for that. The first cancellation ends the
        # sender's loop, the second one the request that the sender then awaits.
        sender = self._producer._sender.sender_task  # noqa: SLF001
        for _ in range(2):
            sender.cancel()
            await asyncio.wait([sender], timeout=_ABORT_SECONDS)
        self._producer._closed = True  # noqa: SLF001
        await self._producer.client.close()

    async def send(self, topic: str, key: str, value: bytes) -> Awaitable[object]:
        """Hand a message over. Await the result for its acknowledgement by all replicas.

        Both wait as long as Kafka is unavailable: the caller sets a limit.

        Raises:
            MessageTooLargeError: the topic takes no message of this size.
            UnreachableError: Kafka refuses it.

        """
        limit = BY_NAME[topic].max_message_bytes
        if len(value) + len(key) > limit:
            raise MessageTooLargeError(topic, limit)
        with translated(self._kafka):
            # Only fails before the message is in the buffer, so that a retry can't duplicate it.
            acknowledged = await retry_while_unavailable(lambda: self._producer.send(topic, value, key.encode()))
        return self._acknowledgement(acknowledged)

    async def _acknowledgement(self, acknowledged: asyncio.Future[object]) -> None:
        with translated(self._kafka):
            await acknowledged
