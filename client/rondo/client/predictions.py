"""Predictions over Kafka: ask and await the answer, one at a time or many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rondo.client.errors import PredictionRefusedError, PredictionTimeoutError
from rondo.client.messages import Prediction, encode_request
from rondo.contracts.predictions import PredictionRequested

if TYPE_CHECKING:
    from rondo.client.kafka import Sender
    from rondo.client.replies import Replies

Requests = AsyncIterable[PredictionRequested] | Iterable[PredictionRequested]
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
            MessageTooLargeError: the request is larger than the topic takes.

        """
        value = encode_request(request)
        answer = await self._replies.expect(request.id)
        try:
            async with asyncio.timeout(seconds):
                await self._sender.send(request.topic, request.entity or request.id, value)
                return await answer
        except TimeoutError:
            raise PredictionTimeoutError(request.id, request.model, seconds) from None
        finally:
            self._replies.forget(request.id)

    async def stream(
        self, requests: Requests, seconds: float
    ) -> AsyncGenerator[Prediction | PredictionRefusedError, None]:
        """Yield answers as they come, a refusal in the place of an answer; asks ahead, but not without bound.

        Raises:
            PredictionTimeoutError: a request has no answer within `seconds`.

        """
        asked: set[asyncio.Task[Any]] = set()
        settled: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def feed() -> None:
            async for request in _each(requests):
                await slots.acquire()
                task = asyncio.create_task(self._settled(request, seconds))
                asked.add(task)
                task.add_done_callback(settled.put_nowait)

        feeding = asyncio.create_task(feed())
        feeding.add_done_callback(settled.put_nowait)
        fed = False
        try:
            while asked or not fed:
                task = await settled.get()
                if task is feeding:
                    task.result()
                    fed = True
                    continue
                asked.discard(task)
                slots.release()
                yield task.result()
        finally:
            for task in (feeding, *asked):
                task.cancel()

    async def _settled(self, request: PredictionRequested, seconds: float) -> Prediction | PredictionRefusedError:
        try:
            return await self.ask(request, seconds)
        except PredictionRefusedError as refusal:
            return refusal


async def _each(requests: Requests) -> AsyncGenerator[PredictionRequested, None]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
        return
    # A plain iterable may block, and answers must be taken meanwhile.
    source = iter(requests)
    while (following := await asyncio.to_thread(_next, source)) is not None:
        yield following


def _next(source: Iterator[PredictionRequested]) -> PredictionRequested | None:
    return next(source, None)
