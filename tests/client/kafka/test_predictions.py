"""Predictions over real Kafka: an answer, a refusal, a timeout. One at a time and many concurrently."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer
from rondo.client import (
    AsyncRondo,
    Connection,
    Prediction,
    PredictionRefusedError,
    PredictionTimeoutError,
    Rondo,
    UnreachableError,
    request,
)
from rondo.client.errors import MessageTooLargeError
from rondo.contracts.events.predictions import OutcomeObserved, PredictionRequested

from tests.client.conftest import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DAY = datetime(2013, 3, 1, 12, tzinfo=UTC)


async def test_each_request_gets_its_own_answer(serving: Connection) -> None:
    async with AsyncRondo(serving) as rondo:
        first, second = await asyncio.gather(
            rondo.predict("late", {"distance": 100}, id="a"),
            rondo.predict("late", {"distance": 900}, entity="flight 1"),
        )
        assert (first.id, first.score, first.model_version, first.made_at) == ("a", 0.1, 3, DAY)
        assert second.score == 0.9
        wood, minutes = await rondo.predict("wood", {"distance": 1}), await rondo.predict("minutes", {"distance": 1})
        assert (first.output, wood.output, minutes.output) == ({"score": 0.1, "label": 0}, *OUTPUTS.values())
        assert (wood.label, minutes.interval) == ("Bäume", (10.0, 15.0))
        # Answers are still received after an idle period.
        await asyncio.sleep(0.3)
        assert (await rondo.predict("late", {"distance": 500})).score == 0.5


async def test_a_refusal_has_its_reason_and_a_timeout_the_next_step(serving: Connection) -> None:
    async with AsyncRondo(serving) as rondo:
        with pytest.raises(PredictionRefusedError) as no:
            await rondo.predict("late", {"refuse": 1}, id="a")
        assert (no.value.code, no.value.request_id) == ("missing", "a")
        assert "`distance`" in no.value.reason
        with pytest.raises(PredictionTimeoutError):
            await rondo.predict("late", {"ignore": 1}, id="b", seconds=0.5)


async def test_what_the_topic_does_not_take_is_never_sent(serving: Connection) -> None:
    async with AsyncRondo(serving) as rondo:
        with pytest.raises(MessageTooLargeError) as raised:
            await rondo.predict("late", {"carrier": "x" * 20_000_000})
    assert (raised.value.topic, raised.value.limit) == ("predictions.requested", 1_048_576)


async def test_without_kafka_the_error_has_its_address(connection: Connection) -> None:
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(UnreachableError) as caught:
            await rondo.predict("late", {})
    assert (caught.value.code, caught.value.service, caught.value.url) == ("unreachable", "Kafka", "127.0.0.1:1")


async def test_a_stream_is_answered_whole(serving: Connection) -> None:
    async def requests() -> AsyncIterator[PredictionRequested]:
        for number in range(300):
            yield request("late", {"refuse": 1} if number == 7 else {"distance": number}, id=f"stream-{number}")

    async with AsyncRondo(serving) as rondo:
        answers = [answer async for answer in rondo.stream(requests())]
    refused = [answer for answer in answers if isinstance(answer, PredictionRefusedError)]
    assert [answer.request_id for answer in refused] == ["stream-7"]
    scores = {answer.id: answer.score for answer in answers if isinstance(answer, Prediction)}
    assert scores == {f"stream-{number}": number / 1000 for number in range(300) if number != 7}


async def test_a_request_of_a_stream_that_has_no_answer_holds_up_no_other(serving: Connection) -> None:
    requests = [
        request("late", {"distance": 100}, id="first"),
        request("late", {"carrier": "x" * 2_000_000}, id="too large"),
        request("late", {"carrier": {1, 2}}, id="no JSON"),
        request("late", {"ignore": 1}, id="silence"),
        request("late", {"ignore": 1}, id="silence"),
        request("late", {"distance": 900}, id="last"),
    ]
    async with AsyncRondo(serving) as rondo:
        answers = [answer async for answer in rondo.stream(requests, seconds=3)]
    scores = {answer.id: answer.score for answer in answers if isinstance(answer, Prediction)}
    assert scores == {"first": 0.1, "last": 0.9}
    refused = [answer for answer in answers if isinstance(answer, PredictionRefusedError)]
    assert {(each.request_id, each.code) for each in refused} == {
        ("too large", "too_large"), ("no JSON", "not_encodable"), ("silence", "id_in_use"),
    }  # fmt: skip
    assert [each.request_id for each in answers if isinstance(each, PredictionTimeoutError)] == ["silence"]


async def test_leaving_a_stream_cancels_what_is_under_way(serving: Connection) -> None:
    def endless() -> Iterator[PredictionRequested]:
        while True:
            yield request("late", {"distance": 1})

    async with AsyncRondo(serving) as rondo:
        before = asyncio.all_tasks()
        async with aclosing(rondo.stream(endless())) as answers:
            assert isinstance(await anext(answers), Prediction)
        # The reader of the answers and the internal tasks of the Kafka clients remain.
        left = [task for task in asyncio.all_tasks() - before if "Predictions" in repr(task.get_coro())]
        assert left == []


async def test_an_answer_of_a_stream_does_not_wait_for_the_next_request(serving: Connection) -> None:
    answered = asyncio.Event()

    async def requests() -> AsyncIterator[PredictionRequested]:
        yield request("late", {"distance": 1}, id="first")
        await answered.wait()

    async with AsyncRondo(serving) as rondo:
        async for answer in rondo.stream(requests()):
            assert isinstance(answer, Prediction)
            answered.set()


async def test_an_error_of_the_source_ends_a_stream(serving: Connection) -> None:
    async def requests() -> AsyncIterator[PredictionRequested]:
        yield request("late", {"ignore": 1})
        raise OSError("the source broke")

    async with AsyncRondo(serving) as rondo:
        with pytest.raises(OSError, match="the source broke"):
            _ = [answer async for answer in rondo.stream(requests())]


async def test_an_outcome_arrives_in_the_form_of_the_contract(serving: Connection) -> None:
    consumer = AIOKafkaConsumer(
        OutcomeObserved.topic, **serving.kafka.aiokafka(), auto_offset_reset="earliest", group_id=None
    )
    async with AsyncRondo(serving) as rondo, consumer:
        await rondo.send_outcome("late", 1, DAY, entity="flight 1")
        # Other tests with this broker have written outcomes of other keys before.
        async with asyncio.timeout(30):
            while (message := await consumer.getone()).key != b"flight 1":
                pass
    assert OutcomeObserved.model_validate_json(message.value) == OutcomeObserved(
        model="late", entity="flight 1", outcome=1, event_time=DAY
    )


async def test_without_asyncio_it_is_the_same(serving: Connection) -> None:
    def plain() -> None:
        with Rondo(serving) as rondo:
            assert rondo.predict("late", {"distance": 250}).score == 0.25
            with pytest.raises(PredictionRefusedError):
                rondo.predict("late", {"refuse": 1})
            requests = [request("late", {"distance": number}) for number in range(20)]
            answers = list(rondo.stream(requests))
            assert {answer.score for answer in answers if isinstance(answer, Prediction)} == {
                n / 1000 for n in range(20)
            }
            # A stream that is closed early leaves no tasks behind.
            assert next(rondo.stream(requests)) is not None

    await asyncio.to_thread(plain)
