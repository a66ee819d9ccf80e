"""Each answer goes to the one who waits for it, in whatever order they come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.client import PredictionRefusedError
from rondo.client.errors import IdInUseError, UnreadableAnswerError
from rondo.client.kafka.waiting import Waiting
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from rondo.client import Prediction

MADE = PredictionMade.topic
IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
# What is on the topics: answers and refusals, of one's own requests and of others', some of them twice.
HEARD = st.lists(st.tuples(st.sampled_from("abcdefghxyz"), st.sampled_from((MADE, PREDICTIONS_FAILED))), max_size=30)


def answer(request_id: str) -> bytes:
    content = {
        "model": "late", "id": request_id, "model_version": 3, "digest": f"sha256:{'a' * 64}",
        "made_at": "2013-03-01T12:00:00Z", "output": {"score": ord(request_id) / 1000},
    }  # fmt: skip
    return orjson.dumps(content)


def said(future: asyncio.Future[Prediction]) -> str | None:
    """Return the topic that a future was settled by, after a look whether it was settled with its own answer."""
    return None if not future.done() else PREDICTIONS_FAILED if future.exception() else MADE


@given(IDS, HEARD, st.sets(st.sampled_from("abcdefgh")))
def test_the_first_word_about_a_request_goes_to_its_caller_and_to_nobody_else(
    asked: list[str], heard: list[tuple[str, str]], given_up: set[str]
) -> None:
    async def story() -> None:
        waiting = Waiting()
        futures = {request_id: waiting.expect(request_id) for request_id in asked}
        for request_id in given_up:
            waiting.forget(request_id)
        for request_id, topic in heard:
            waiting.take(topic, answer(request_id), ())
        for request_id, future in futures.items():
            first = next((topic for about, topic in heard if about == request_id), None)
            assert said(future) == (None if request_id in given_up else first)
            if said(future) == MADE:
                assert (future.result().id, future.result().score) == (request_id, ord(request_id) / 1000)
            elif said(future) == PREDICTIONS_FAILED:
                refusal = future.exception()
                assert isinstance(refusal, PredictionRefusedError)
                assert refusal.request_id == request_id
        for request_id in asked:
            waiting.forget(request_id)
        assert waiting.is_empty

    asyncio.run(story())


async def test_two_requests_of_one_id_at_once_can_not_be_told_apart() -> None:
    waiting = Waiting()
    waiting.expect("a")
    with pytest.raises(IdInUseError, match="the request a is waited for already: give each request an id of its own"):
        waiting.expect("a")
    waiting.forget("a")
    waiting.expect("a")


async def test_an_answer_that_is_none_is_told_to_who_waits_and_to_nobody_else() -> None:
    waiting = Waiting()
    broken, whole = waiting.expect("a"), waiting.expect("b")
    waiting.take(MADE, b'{"id": "a"}', ())
    waiting.take(MADE, answer("b"), ())
    with pytest.raises(UnreadableAnswerError, match=r"the answer to the request a can't be read \(ValidationError\)"):
        await broken
    assert (await whole).id == "b"
