"""Each reply settles the future of its request, in any order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from aiokafka.errors import AuthenticationFailedError, KafkaError, KafkaTimeoutError, NodeNotReadyError
from hypothesis import given
from hypothesis import strategies as st
from rondo.client import PredictionRefusedError
from rondo.client.errors import IdInUseError, UnreachableError, UnreadableAnswerError
from rondo.client.kafka.replies import PendingReplies, Replies
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from rondo.client import Prediction

MADE = PredictionMade.topic
IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
# The messages on the topics: answers and refusals to this client and to others, some of them twice.
RECEIVED = st.lists(st.tuples(st.sampled_from("abcdefghxyz"), st.sampled_from((MADE, PREDICTIONS_FAILED))), max_size=30)


def answer(request_id: str) -> bytes:
    content = {
        "model": "late", "id": request_id, "model_version": 3, "digest": f"sha256:{'a' * 64}",
        "made_at": "2013-03-01T12:00:00Z", "output": {"score": ord(request_id) / 1000},
    }  # fmt: skip
    return orjson.dumps(content)


def topic_of(future: asyncio.Future[Prediction]) -> str | None:
    """Return the topic that settled a future. Check that the future has its own answer."""
    return None if not future.done() else PREDICTIONS_FAILED if future.exception() else MADE


@given(IDS, RECEIVED, st.sets(st.sampled_from("abcdefgh")))
def test_the_first_reply_to_a_request_goes_to_its_caller_only(
    asked: list[str], received: list[tuple[str, str]], given_up: set[str]
) -> None:
    async def scenario() -> None:
        pending = PendingReplies()
        futures = {request_id: pending.expect(request_id) for request_id in asked}
        for request_id in given_up:
            pending.discard(request_id)
        for request_id, topic in received:
            pending.resolve(topic, answer(request_id), ())
        for request_id, future in futures.items():
            first = next((topic for about, topic in received if about == request_id), None)
            assert topic_of(future) == (None if request_id in given_up else first)
            if topic_of(future) == MADE:
                assert (future.result().id, future.result().score) == (request_id, ord(request_id) / 1000)
            elif topic_of(future) == PREDICTIONS_FAILED:
                refusal = future.exception()
                assert isinstance(refusal, PredictionRefusedError)
                assert refusal.request_id == request_id
        for request_id in asked:
            pending.discard(request_id)
        assert pending.is_empty

    asyncio.run(scenario())


async def test_two_concurrent_requests_with_one_id_are_refused() -> None:
    pending = PendingReplies()
    pending.expect("a")
    with pytest.raises(IdInUseError):
        pending.expect("a")
    pending.discard("a")
    pending.expect("a")


async def test_an_unreadable_answer_fails_its_caller_only() -> None:
    pending = PendingReplies()
    broken, whole = pending.expect("a"), pending.expect("b")
    pending.resolve(MADE, b'{"id": "a"}', ())
    pending.resolve(MADE, answer("b"), ())
    with pytest.raises(UnreadableAnswerError) as caught:
        await broken
    assert (caught.value.code, caught.value.request_id) == ("unreadable_answer", "a")
    assert (await whole).id == "b"


class FakeConsumer:
    """Has one partition, and is unavailable for the first `failures` requests."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error
        self.offset: int | None = None

    def assignment(self) -> set[str]:
        return {"partition"}

    async def end_offsets(self, partitions: set[str]) -> dict[str, int]:
        self.failures -= 1
        if self.failures >= 0:
            raise self.error
        return dict.fromkeys(partitions, 7)

    def seek(self, _: str, offset: int) -> None:
        self.offset = offset


@pytest.mark.sampled(1)
@pytest.mark.parametrize("error", [KafkaTimeoutError(), NodeNotReadyError(), KafkaError("no broker"), OSError()])
@pytest.mark.medium
async def test_a_request_waits_until_kafka_answers(error: Exception) -> None:
    replies, consumer = Replies(KafkaConnection("kafka:9092")), FakeConsumer(2, error)
    replies._consumer = consumer
    await replies.expect("a")
    assert consumer.offset == 7


async def test_an_error_that_a_retry_can_not_cure_is_raised() -> None:
    replies = Replies(KafkaConnection("kafka:9092"))
    replies._consumer = FakeConsumer(1, AuthenticationFailedError("wrong password"))
    with pytest.raises(UnreachableError) as caught:
        await replies.expect("a")
    assert "wrong password" in caught.value.reason


class FakeReader(FakeConsumer):
    """Raises each of the errors once when it is read."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(0, OSError())
        self.errors = list(errors)

    async def getmany(self, timeout_ms: int) -> dict[str, list[object]]:  # noqa: ARG002 - aiokafka's
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.sleep(0.01)
        return {}


async def test_a_pending_reply_fails_only_with_an_error_that_a_retry_can_not_cure() -> None:
    replies = Replies(KafkaConnection("kafka:9092"))
    replies._consumer = reader = FakeReader(KafkaTimeoutError(), AuthenticationFailedError("wrong password"))
    reply = await replies.expect("a")
    running = asyncio.create_task(replies._run())
    with pytest.raises(UnreachableError) as caught:
        await asyncio.wait_for(reply, 10)
    assert "wrong password" in caught.value.reason
    assert reader.errors == []
    running.cancel()
    await asyncio.wait([running])
