"""Replies to requests over Kafka, with one consumer for all requests of a client."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rondo.client import messages
from rondo.client.errors import IdInUseError, UnreachableError, UnreadableAnswerError
from rondo.client.kafka.connection import retry_while_unavailable, translated
from rondo.client.kafka.consumer import consumer_of
from rondo.client.prediction import decode_answer
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.client.errors import RondoError
    from rondo.client.prediction import Prediction
    from rondo.contracts.kafka_connection import KafkaConnection

_TOPICS = (PredictionMade.topic, PREDICTIONS_FAILED)
_PAUSE_SECONDS = 0.1


class PendingReplies:
    """Futures of replies by request id. Replies to other ids are ignored."""

    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[Prediction]] = {}
        self._not_empty = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        return not self._futures

    async def wait_until_not_empty(self) -> None:
        await self._not_empty.wait()

    def expect(self, request_id: str) -> asyncio.Future[Prediction]:
        """Return the future of a reply.

        Raises:
            IdInUseError: another request with this id is pending.

        """
        if request_id in self._futures:
            raise IdInUseError(request_id)
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._futures[request_id] = future
        self._not_empty.set()
        return future

    def discard(self, request_id: str) -> None:
        self._futures.pop(request_id, None)
        if not self._futures:
            self._not_empty.clear()

    def resolve(self, topic: str, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> None:
        """Settle the future of the request that a message of `predictions.made` or `predictions.failed` answers."""
        request_id = messages.id_of(value)
        future = self._futures.get(request_id) if request_id is not None else None
        if future is None or request_id is None or future.done():
            return
        if topic == PREDICTIONS_FAILED:
            future.set_exception(messages.decode_refusal(request_id, headers))
            return
        try:
            future.set_result(decode_answer(value or b""))
        except ValidationError as error:
            future.set_exception(UnreadableAnswerError(request_id, type(error).__name__))

    def fail(self, error: RondoError) -> None:
        """Settle all futures with an error."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)

    def cancel(self) -> None:
        for future in self._futures.values():
            future.cancel()


class Replies:
    """Reads `predictions.made` and `predictions.failed` while requests are pending."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._pending = PendingReplies()
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            UnreachableError: Kafka does not answer.
            NotFoundError: the topics do not exist yet.

        """
        self._consumer = await self._stack.enter_async_context(consumer_of(self._kafka, _TOPICS))
        self._task = asyncio.create_task(self._run(), name="replies")

    async def stop(self) -> None:
        """Disconnect. Pending replies are cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._pending.cancel()
        await self._stack.aclose()

    async def expect(self, request_id: str) -> asyncio.Future[Prediction]:
        """Return the future of a reply. Call this before sending the request, because earlier replies are not read.

        The method waits while Kafka is unavailable, so the caller sets a limit.

        Raises:
            IdInUseError: another request with this id is pending.
            UnreachableError: Kafka refuses this client, for instance its credentials.

        """
        async with self._lock:
            if self._pending.is_empty:
                # Skips the replies that other clients got since the last request of this client.
                with translated(self._kafka):
                    await retry_while_unavailable(self._seek_to_end)
            return self._pending.expect(request_id)

    def discard(self, request_id: str) -> None:
        self._pending.discard(request_id)

    async def _seek_to_end(self) -> None:
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        for partition, offset in ends.items():
            self._consumer.seek(partition, offset)

    async def _run(self) -> None:
        while True:
            await self._pending.wait_until_not_empty()
            try:
                with translated(self._kafka):
                    fetched = await retry_while_unavailable(lambda: self._consumer.getmany(timeout_ms=100))
            except UnreachableError as error:
                self._pending.fail(error)
                # The callers drop the futures during this pause, so nothing is read until the next request.
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for messages_of_partition in fetched.values():
                for message in messages_of_partition:
                    self._pending.resolve(message.topic, message.value, message.headers)
