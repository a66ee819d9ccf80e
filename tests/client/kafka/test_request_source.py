"""Requests from plain iterables: complete, in order, bounded, and not delayed by a source that blocks."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.client import RefusedError, request
from rondo.client.kafka.request_source import READ_AHEAD, each

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rondo.contracts.events.predictions import PredictionRequested


def numbered(number: int) -> PredictionRequested:
    return request("late", {}, id=str(number))


@given(st.integers(0, 3 * READ_AHEAD))
def test_all_come_in_order(count: int) -> None:
    async def ids() -> list[str]:
        return [each_one.id async for each_one in each(map(numbered, range(count)))]

    assert asyncio.run(ids()) == [str(number) for number in range(count)]


@pytest.mark.parametrize("wrong", [{"distance": 1}, "distance", None])
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_is_no_request_is_refused_with_the_function_that_makes_one(wrong: object, *, is_async: bool) -> None:
    async def produced() -> AsyncIterator[Any]:
        for each_one in (numbered(1), wrong):
            yield each_one

    requests: Any = produced() if is_async else [numbered(1), wrong]
    source = each(requests)
    assert (await anext(source)).id == "1"
    with pytest.raises(RefusedError) as caught:
        await anext(source)
    assert caught.value.code == "not_a_request"
    assert "`rondo.client.request(model, features)`" in str(caught.value)


async def test_received_records_do_not_wait_for_further_ones() -> None:
    taken = threading.Event()

    def blocking() -> Iterator[PredictionRequested]:
        yield numbered(1)
        assert taken.wait(10)
        yield numbered(2)

    async for one in each(blocking()):
        assert one.id == "2" or not taken.is_set()
        taken.set()


async def test_an_error_of_the_source_is_raised_after_the_items_before_it() -> None:
    def breaking() -> Iterator[PredictionRequested]:
        yield numbered(1)
        raise OSError("the source broke")

    async with aclosing(each(breaking())) as source:
        assert (await anext(source)).id == "1"
        with pytest.raises(OSError, match="the source broke"):
            await anext(source)


async def test_a_source_that_ends_the_process_ends_the_stream() -> None:
    def ending() -> Iterator[PredictionRequested]:
        yield numbered(1)
        raise SystemExit(1)

    async with asyncio.timeout(5), aclosing(each(ending())) as source:
        assert (await anext(source)).id == "1"
        with pytest.raises(SystemExit):
            await anext(source)


@pytest.mark.medium
async def test_an_endless_source_is_read_ahead_so_far_and_no_further() -> None:
    read = itertools.count()
    position = 0

    def endless() -> Iterator[PredictionRequested]:
        nonlocal position
        for position in read:
            yield numbered(position)

    async with aclosing(each(endless())) as source:
        assert (await anext(source)).id == "0"
        await asyncio.sleep(0.3)
        # One chunk is taken, this many requests wait, and the reader holds one.
        assert position <= 2 * READ_AHEAD + 1


async def test_a_source_that_blocks_forever_does_not_prevent_the_end() -> None:
    never = threading.Event()

    def blocked() -> Iterator[PredictionRequested]:
        yield numbered(1)
        never.wait()

    async with asyncio.timeout(5), aclosing(each(blocked())) as source:
        assert (await anext(source)).id == "1"
    never.set()
