"""Answers on their way back over Kafka: one reader for all requests of a client, matched by id."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from rondo.client import messages
from rondo.client.errors import RondoError, UnreachableError
from rondo.client.kafka import reading, translated
from rondo.contracts.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from rondo.client.messages import Prediction

_TOPICS = (PredictionMade.topic, PREDICTIONS_FAILED)


class Replies:
    """Reads predictions.made and predictions.failed from their end, while somebody waits for an answer."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._waiting: dict[str, asyncio.Future[Prediction]] = {}
        self._wanted = asyncio.Event()
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
        for future in self._waiting.values():
            future.cancel()
        await self._open.aclose()

    async def expect(self, request_id: str) -> asyncio.Future[Prediction]:
        """Return the future of an answer; ask only after that."""
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        async with self._turn:
            if not self._wanted.is_set():
                # Nobody waited until now: what has been answered to others meanwhile need not be read.
                with translated(self._bootstrap):
                    await self._consumer.seek_to_end()
                    for partition in self._consumer.assignment():
                        await self._consumer.position(partition)
            self._waiting[request_id] = future
            self._wanted.set()
        return future

    def forget(self, request_id: str) -> None:
        """Wait no longer for an answer."""
        self._waiting.pop(request_id, None)
        if not self._waiting:
            self._wanted.clear()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                fetched = await self._consumer.getmany(timeout_ms=100)
            except (KafkaError, OSError) as error:
                self._fail(UnreachableError("Kafka", self._bootstrap, str(error) or type(error).__name__))
                continue
            for messages_of_one in fetched.values():
                for message in messages_of_one:
                    self._take(message)

    def _take(self, message: Any) -> None:
        request_id = messages.id_of(message.value)
        future = self._waiting.get(request_id) if request_id is not None else None
        if future is None or request_id is None or future.done():
            return
        if message.topic == PREDICTIONS_FAILED:
            future.set_exception(messages.decode_refusal(request_id, message.headers))
        else:
            future.set_result(messages.decode_answer(message.value))

    def _fail(self, error: RondoError) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
