"""The Kafka clients of one connection, each opened when it is first needed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from rondo.client.kafka.predictions import Predictions
from rondo.client.kafka.producer import Producer
from rondo.client.kafka.replies import Replies

if TYPE_CHECKING:
    from rondo.contracts.kafka_connection import KafkaConnection


class KafkaClients:
    """The Kafka clients of one connection. Close them with `aclose`."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._producer: Producer | None = None
        self._predictions: Predictions | None = None

    async def producer(self) -> Producer:
        """Connect at the first call. All callers share the connection.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        async with self._lock:
            return await self._open_producer()

    async def predictions(self) -> Predictions:
        """Subscribe to the replies at the first call. All callers share the subscription.

        Raises:
            UnreachableError: Kafka does not answer.
            NotFoundError: the topics do not exist yet.

        """
        async with self._lock:
            if self._predictions is None:
                producer, replies = await self._open_producer(), Replies(self._kafka)
                self._stack.push_async_callback(replies.stop)
                await replies.start()
                self._predictions = Predictions(producer, replies)
            return self._predictions

    async def aclose(self) -> None:
        """Close the clients in reverse order of opening."""
        await self._stack.aclose()

    async def _open_producer(self) -> Producer:
        if self._producer is None:
            producer = Producer(self._kafka)
            await producer.start()
            self._stack.push_async_callback(producer.stop)
            self._producer = producer
        return self._producer
