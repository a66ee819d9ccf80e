"""Asking for predictions without Kafka: what becomes of a stream when its source, or an answer, is at fault."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest
from rondo.client.errors import PredictionTimeoutError, UnreadableAnswerError
from rondo.client.kafka.predictions import Predictions
from rondo.client.messages import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.client.kafka.connection import Sender
    from rondo.client.kafka.replies import Replies
    from rondo.contracts.events.predictions import PredictionRequested


class Everything:
    """Takes what is sent."""

    async def send(self, *_: object) -> None: ...


class Answers:
    """Answers at once, the request called `odd` with what can't be read, `mute` never; for `deaf` it never listens."""

    async def expect(self, request_id: str) -> asyncio.Future[Any]:
        if request_id == "deaf":
            await asyncio.Event().wait()
        future = asyncio.get_running_loop().create_future()
        if request_id == "odd":
            future.set_exception(UnreadableAnswerError(request_id, "ValidationError"))
        elif request_id != "mute":
            future.set_result(request_id)
        return future

    def forget(self, request_id: str) -> None: ...


@pytest.fixture
def predictions() -> Predictions:
    return Predictions(cast("Sender", Everything()), cast("Replies", Answers()))


def ask(name: str) -> PredictionRequested:
    return request("late", {"distance": 1.0}, id=name)


@pytest.mark.parametrize("pauses", range(6))
async def test_an_error_of_the_source_is_never_swallowed(predictions: Predictions, pauses: int) -> None:
    async def source() -> AsyncIterator[PredictionRequested]:
        yield ask("one")
        for _ in range(pauses):
            await asyncio.sleep(0)
        message = "the file ends in the middle of a line"
        raise OSError(message)

    async def take_all() -> None:
        async with aclosing(predictions.stream(source(), 5)) as answers:
            async for _ in answers:
                await asyncio.sleep(0)

    with pytest.raises(OSError, match="in the middle of a line"):
        await take_all()


async def test_an_answer_that_can_not_be_read_holds_up_no_other(predictions: Predictions) -> None:
    async with aclosing(predictions.stream([ask("one"), ask("odd"), ask("two")], 5)) as stream:
        answers = [answer async for answer in stream]
    assert [answer for answer in answers if isinstance(answer, str)] == ["one", "two"]
    (odd,) = (answer for answer in answers if isinstance(answer, UnreadableAnswerError))
    assert odd.request_id == "odd"


async def test_a_reader_that_kafka_does_not_answer_counts_towards_the_time(predictions: Predictions) -> None:
    with pytest.raises(PredictionTimeoutError, match="may be lost: ask again once Kafka answers") as caught:
        await predictions.ask(ask("deaf"), 0.05)
    assert not caught.value.kept


async def test_what_kafka_has_is_kept_though_no_answer_came_in_time(predictions: Predictions) -> None:
    with pytest.raises(PredictionTimeoutError, match="the request is kept and will be answered") as caught:
        await predictions.ask(ask("mute"), 0.05)
    assert caught.value.kept
