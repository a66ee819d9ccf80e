"""Abandoned requests: the client has disconnected, or the timeout has ended."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest
from rondo.serving.errors import DeadlineExceededError
from rondo.serving.inference.service import InferenceService

from tests.serving.inference.requests import NOW, Topic, rows_of, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import ServedModel


async def busy(served: ServedModel) -> tuple[Topic, InferenceService, asyncio.Task[Sequence[Answered]]]:
    """Return when the record of a first request, `a`, is sent. It stays unacknowledged until the topic is free."""
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    first = asyncio.create_task(service.infer_logged(served, rows_of("a", 1)))
    await topic.asked.wait()
    return topic, service, first


async def test_a_client_that_leaves_does_not_disturb_its_neighbours(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    left, stays = (asyncio.create_task(service.infer_logged(served, rows_of(name, 1))) for name in "ab")
    await topic.asked.wait()
    left.cancel()
    topic.free.set()
    assert scores(await stays, 1) == [1]
    assert topic.records == [["a/0", "b/0"]]


async def test_a_request_that_is_cancelled_while_it_waits_is_not_logged(served: ServedModel) -> None:
    topic, service, first = await busy(served)
    left, stays = (asyncio.create_task(service.infer_logged(served, rows_of(name, 1))) for name in "bc")
    await asyncio.sleep(0)
    left.cancel()
    topic.free.set()
    await asyncio.gather(first, stays)
    assert topic.records == [["a/0"], ["c/0"]]


async def test_a_request_whose_timeout_ends_while_it_waits_is_not_logged(served: ServedModel) -> None:
    topic, service, first = await busy(served)
    stays = asyncio.create_task(service.infer_logged(served, rows_of("c", 1), timeout=60))
    with pytest.raises(DeadlineExceededError) as caught:
        await service.infer_logged(served, rows_of("b", 1), timeout=0.02)
    assert not caught.value.began
    assert str(caught.value).startswith("the request was not scored 0.02 s after it came; send it again")
    topic.free.set()
    await asyncio.gather(first, stays)
    assert topic.records == [["a/0"], ["c/0"]]


async def test_a_request_whose_timeout_ends_while_its_log_is_on_its_way_may_be_logged(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    neighbour = asyncio.create_task(service.infer_logged(served, rows_of("b", 1)))
    with pytest.raises(DeadlineExceededError) as caught:
        await asyncio.create_task(service.infer_logged(served, rows_of("a", 1), timeout=0.05))
    assert caught.value.began
    topic.free.set()
    assert scores(await neighbour, 1) == [1]
    assert topic.records == [["b/0", "a/0"]]


@pytest.mark.medium
async def test_a_request_that_is_cancelled_while_it_waits_is_not_kept(served: ServedModel) -> None:
    topic, service, first = await busy(served)
    rows = rows_of("b", 1)
    source = weakref.ref(rows.source)
    left = asyncio.create_task(service.infer_logged(served, rows))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    del rows, left
    gc.collect()
    assert source() is None
    topic.free.set()
    await first
