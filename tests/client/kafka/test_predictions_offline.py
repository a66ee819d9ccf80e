"""Streams without Kafka: faults of the source, and of single answers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest
from rondo.client.errors import DeliveryStatus, PredictionTimeoutError, UnreadableAnswerError
from rondo.client.kafka.predictions import Predictions
from rondo.client.messages import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.client.kafka.producer import Producer
    from rondo.client.kafka.replies import Replies
    from rondo.contracts.events.predictions import PredictionRequested


class FakeProducer:
    """Acknowledges every message except `adrift`."""

    async def send(self, _: str, key: str, __: bytes) -> asyncio.Future[None]:
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key != "adrift":
            acknowledged.set_result(None)
        return acknowledged


class FakeReplies:
    """Replies at once: `odd` gets a malformed answer, `mute` gets none. For `deaf` Kafka is unavailable."""

    async def expect(self, request_id: str) -> asyncio.Future[Any]:
        if request_id == "deaf":
            await asyncio.Event().wait()
        future = asyncio.get_running_loop().create_future()
        if request_id == "odd":
            future.set_exception(UnreadableAnswerError(request_id, "ValidationError"))
        elif request_id != "mute":
            future.set_result(request_id)
        return future

    def discard(self, request_id: str) -> None: ...


@pytest.fixture
def predictions() -> Predictions:
    return Predictions(cast("Producer", FakeProducer()), cast("Replies", FakeReplies()))


def ask(name: str) -> PredictionRequested:
    return request("late", {"distance": 1.0}, id=name)


@pytest.mark.parametrize("pauses", range(6))
async def test_an_error_of_the_source_is_never_swallowed(predictions: Predictions, pauses: int) -> None:
    broken = OSError("broken")

    async def source() -> AsyncIterator[PredictionRequested]:
        yield ask("one")
        for _ in range(pauses):
            await asyncio.sleep(0)
        raise broken

    async def take_all() -> None:
        async with aclosing(predictions.stream(source(), 5)) as answers:
            async for _ in answers:
                await asyncio.sleep(0)

    with pytest.raises(OSError, match="broken") as raised:
        await take_all()
    assert raised.value is broken


async def test_a_malformed_answer_delays_no_other(predictions: Predictions) -> None:
    async with aclosing(predictions.stream([ask("one"), ask("odd"), ask("two")], 5)) as stream:
        answers = [answer async for answer in stream]
    assert [answer for answer in answers if isinstance(answer, str)] == ["one", "two"]
    (odd,) = (answer for answer in answers if isinstance(answer, UnreadableAnswerError))
    assert odd.request_id == "odd"


async def test_a_request_that_could_not_be_sent_in_time(predictions: Predictions) -> None:
    with pytest.raises(PredictionTimeoutError) as caught:
        await predictions.predict(ask("deaf"), 0.05)
    assert caught.value.delivery is DeliveryStatus.NOT_SENT


async def test_a_request_that_kafka_may_have(predictions: Predictions) -> None:
    with pytest.raises(PredictionTimeoutError) as caught:
        await predictions.predict(ask("adrift"), 0.05)
    assert caught.value.delivery is DeliveryStatus.UNKNOWN


async def test_a_request_that_kafka_has_and_that_is_not_answered_in_time(predictions: Predictions) -> None:
    with pytest.raises(PredictionTimeoutError) as caught:
        await predictions.predict(ask("mute"), 0.05)
    assert caught.value.delivery is DeliveryStatus.ACKNOWLEDGED
