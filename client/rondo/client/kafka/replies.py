"""Answers on their way back over Kafka: one reader for all requests of a client."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from rondo.client.errors import UnreachableError
from rondo.client.kafka.connection import reading, translated
from rondo.client.kafka.waiting import Waiting
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from rondo.client.messages import Prediction

_TOPICS = (PredictionMade.topic, PREDICTIONS_FAILED)


class Replies:
    """Reads predictions.made and predictions.failed from their end, while somebody waits for an answer."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._waiting = Waiting()
        self._turn = asyncio.Lock()
        self._open = AsyncExitStack()
        self._consumer: Any = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the reader; answers to whatever is asked from now on are seen.

        Raises:
            UnreachableError: Kafka does not answer.
            NotFoundError: the topics do not exist yet.

        """
        self._consumer = await self._open.enter_async_context(reading(self._bootstrap, _TOPICS))
        self._reader = asyncio.create_task(self._run(), name="replies")

    async def stop(self) -> None:
        """Close the reader; whoever still waits is cancelled."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        self._waiting.cancel()
        await self._open.aclose()

    async def expect(self, request_id: str) -> asyncio.Future[Prediction]:
        """Return the future of an answer; ask only after that.

        Raises:
            IdInUseError: somebody waits for this id already.

        """
        async with self._turn:
            if self._waiting.is_empty:
                # Nobody waited until now: what has been answered to others meanwhile need not be read.
                with translated(self._bootstrap):
                    await self._consumer.seek_to_end()
                    for partition in self._consumer.assignment():
                        await self._consumer.position(partition)
            return self._waiting.expect(request_id)

    def forget(self, request_id: str) -> None:
        """Wait no longer for an answer."""
        self._waiting.forget(request_id)

    async def _run(self) -> None:
        while True:
            await self._waiting.for_somebody()
            try:
                fetched = await self._consumer.getmany(timeout_ms=100)
            except (KafkaError, OSError) as error:
                self._waiting.fail(UnreachableError("Kafka", self._bootstrap, str(error) or type(error).__name__))
                continue
            for messages_of_one in fetched.values():
                for message in messages_of_one:
                    self._waiting.take(message.topic, message.value, message.headers)
