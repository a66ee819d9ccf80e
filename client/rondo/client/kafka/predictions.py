"""Predictions over Kafka: ask and await the answer, one at a time or many at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from rondo.client.errors import (
    MessageTooLargeError,
    PredictionRefusedError,
    PredictionTimeoutError,
    RefusedError,
    UnreadableAnswerError,
)
from rondo.client.kafka.request_source import each
from rondo.client.messages import encode_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rondo.client.kafka.connection import Sender
    from rondo.client.kafka.replies import Replies
    from rondo.client.kafka.request_source import Requests
    from rondo.client.messages import Prediction
    from rondo.contracts.events.predictions import PredictionRequested

Unanswered = PredictionRefusedError | PredictionTimeoutError | UnreadableAnswerError
IN_FLIGHT = 1_000


class Predictions:
    """Asks serving over Kafka."""

    def __init__(self, sender: Sender, replies: Replies) -> None:
        self._sender = sender
        self._replies = replies

    async def ask(self, request: PredictionRequested, seconds: float) -> Prediction:
        """Return the answer.

        Raises:
            PredictionRefusedError: serving can't answer this request.
            PredictionTimeoutError: no answer within `seconds`.
            UnreadableAnswerError: the answer is none that serving should ever give.
            MessageTooLargeError: the request is larger than the topic takes.
            RefusedError: the request can't be written, or its id is one that is already waited for.

        """
        value, kept = encode_request(request), False
        try:
            async with asyncio.timeout(seconds):
                answer = await self._replies.expect(request.id)
                try:
                    await self._sender.send(request.topic, request.entity or request.id, value)
                    kept = True
                    return await answer
                finally:
                    self._replies.forget(request.id)
        except TimeoutError:
            raise PredictionTimeoutError(request.id, request.model, seconds, kept=kept) from None

    async def stream(self, requests: Requests, seconds: float) -> AsyncGenerator[Prediction | Unanswered, None]:
        """Yield answers as they come, or in the place of one why there is none.

        At most IN_FLIGHT requests are asked, or answered and not yet taken; leaving it cancels those.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        flight = _Flight()
        feeding = asyncio.create_task(self._feed(flight, requests, seconds))
        feeding.add_done_callback(flight.landed.put_nowait)
        try:
            while flight.asked or not feeding.done() or not flight.landed.empty():
                task = await flight.landed.get()
                if task is feeding:
                    task.result()
                    continue
                flight.leave(task)
                yield task.result()
            # It may have ended with an error since it was last looked at.
            await feeding
        finally:
            await _cancelled(feeding, *flight.asked)

    async def _feed(self, flight: _Flight, requests: Requests, seconds: float) -> None:
        async with aclosing(each(requests)) as source:
            async for request in source:
                await flight.slots.acquire()
                flight.enter(asyncio.create_task(self._settled(request, seconds)))

    async def _settled(self, request: PredictionRequested, seconds: float) -> Prediction | Unanswered:
        try:
            return await self.ask(request, seconds)
        except (PredictionRefusedError, PredictionTimeoutError, UnreadableAnswerError) as unanswered:
            return unanswered
        except MessageTooLargeError as error:
            return PredictionRefusedError(request.id, str(error), "too_large")
        except RefusedError as error:
            return PredictionRefusedError(request.id, str(error), error.code)


class _Flight:
    """The requests under way, and those that have landed and wait to be taken."""

    def __init__(self) -> None:
        self.asked: set[asyncio.Task[Any]] = set()
        self.landed: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
        self.slots = asyncio.Semaphore(IN_FLIGHT)

    def enter(self, task: asyncio.Task[Any]) -> None:
        self.asked.add(task)
        task.add_done_callback(self.landed.put_nowait)

    def leave(self, task: asyncio.Task[Any]) -> None:
        self.asked.discard(task)
        self.slots.release()


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
