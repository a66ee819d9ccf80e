"""Predictions over Kafka: one request, or a stream of them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from rondo.client.errors import (
    DeliveryStatus,
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

    from rondo.client.kafka.producer import Producer
    from rondo.client.kafka.replies import Replies
    from rondo.client.kafka.request_source import Requests
    from rondo.client.prediction import Prediction
    from rondo.contracts.events.predictions import PredictionRequested

Unanswered = PredictionRefusedError | PredictionTimeoutError | UnreadableAnswerError
MAX_IN_FLIGHT = 1_000


class Predictions:
    """Sends requests and awaits their answers."""

    def __init__(self, producer: Producer, replies: Replies) -> None:
        self._producer = producer
        self._replies = replies

    async def predict(self, request: PredictionRequested, seconds: float) -> Prediction:
        """Return the answer.

        Raises:
            PredictionRefusedError: serving can't answer this request.
            PredictionTimeoutError: no answer within `seconds`. Its `delivery` says whether Kafka has the request.
            UnreadableAnswerError: the answer is malformed.
            MessageTooLargeError: the request is larger than its topic allows.
            RefusedError: the request can't be encoded, or another request with its id is pending.
            UnreachableError: Kafka refuses this client, for instance its credentials.

        """
        value, delivery = encode_request(request), DeliveryStatus.NOT_SENT
        try:
            async with asyncio.timeout(seconds):
                answer = await self._replies.expect(request.id)
                try:
                    acknowledged = await self._producer.send(request.topic, request.entity or request.id, value)
                    delivery = DeliveryStatus.UNKNOWN
                    await acknowledged
                    delivery = DeliveryStatus.ACKNOWLEDGED
                    return await answer
                finally:
                    self._replies.discard(request.id)
        except TimeoutError:
            raise PredictionTimeoutError(request.id, request.model, seconds, delivery) from None

    async def stream(self, requests: Requests, seconds: float) -> AsyncGenerator[Prediction | Unanswered, None]:
        """Yield one result for each request, in the order in which the results arrive.

        At most MAX_IN_FLIGHT requests are pending, or have a result that the caller has not taken. Closing the
        generator cancels them. While Kafka is unavailable, requests wait. A request without an answer within `seconds`
        gets a PredictionTimeoutError.

        Raises:
            UnreachableError: Kafka refuses this client, for instance its credentials.

        """
        flight = _InFlight()
        feeding = asyncio.create_task(self._feed(flight, requests, seconds))
        feeding.add_done_callback(flight.settled.put_nowait)
        try:
            while flight.pending or not feeding.done() or not flight.settled.empty():
                task = await flight.settled.get()
                if task is feeding:
                    task.result()
                    continue
                flight.remove(task)
                yield task.result()
            # The task that feeds the queue may have failed since the last check in the loop.
            await feeding
        finally:
            await _cancel(feeding, *flight.pending)

    async def _feed(self, flight: _InFlight, requests: Requests, seconds: float) -> None:
        async with aclosing(each(requests)) as source:
            async for request in source:
                await flight.slots.acquire()
                flight.add(asyncio.create_task(self._result(request, seconds)))

    async def _result(self, request: PredictionRequested, seconds: float) -> Prediction | Unanswered:
        try:
            return await self.predict(request, seconds)
        except (PredictionRefusedError, PredictionTimeoutError, UnreadableAnswerError) as unanswered:
            return unanswered
        except (MessageTooLargeError, RefusedError) as error:
            return PredictionRefusedError(request.id, str(error), error.code)


class _InFlight:
    """Requests that are pending, and requests whose result the caller has not taken."""

    def __init__(self) -> None:
        self.pending: set[asyncio.Task[Any]] = set()
        self.settled: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
        self.slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    def add(self, task: asyncio.Task[Any]) -> None:
        self.pending.add(task)
        task.add_done_callback(self.settled.put_nowait)

    def remove(self, task: asyncio.Task[Any]) -> None:
        self.pending.discard(task)
        self.slots.release()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
