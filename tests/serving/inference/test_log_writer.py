"""The log of what is answered over HTTP: nobody waits for ever, and nobody's text takes another's answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.serving.inference.log_batch import row_bytes
from rondo.serving.inference.log_writer import LogQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import Version

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


def batch(version: Version, *carriers: str) -> Any:
    rows = len(carriers)
    numbers = np.ones(rows, "f4")
    columns = {
        "distance": numbers, "seats": numbers, "night": numbers, "carrier": np.array(carriers, dtype=np.object_),
    }  # fmt: skip
    ids, nothing = [f"r{row}" for row in range(rows)], [None] * rows
    return version.log.batch(ids, nothing, nothing, columns, numbers, NOW)  # type: ignore[arg-type]


class Blocked:
    """A topic that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.free, self.asked = asyncio.Event(), asyncio.Event()

    async def publish(self, _: str, __: bytes) -> None:
        self.asked.set()
        await self.free.wait()


async def test_at_the_end_whoever_waits_hears_it(version: Callable[..., Version]) -> None:
    mine, topic = version(), Blocked()
    queue = LogQueue(topic.publish)
    running = asyncio.create_task(queue.run())
    writing = asyncio.create_task(queue.write(mine, batch(mine, "AA")))
    await topic.asked.wait()
    waiting = asyncio.create_task(queue.write(mine, batch(mine, "AA")))
    await asyncio.sleep(0)
    running.cancel()
    for late in (writing, waiting, asyncio.create_task(queue.write(mine, batch(mine, "AA")))):
        with pytest.raises(UnavailableError, match="this replica stops"):
            await late


async def test_no_more_waits_than_there_is_room_for(version: Callable[..., Version]) -> None:
    mine, topic = version(), Blocked()
    one = batch(mine, "x" * 1_000)
    queue = LogQueue(topic.publish, max_bytes=one.nbytes * 2)
    running = asyncio.create_task(queue.run())
    waiting = [asyncio.create_task(queue.write(mine, one)) for _ in range(2)]
    await topic.asked.wait()
    with pytest.raises(UnavailableError, match=r"2 answers of .* bytes wait for it already"):
        await queue.write(mine, one)
    topic.free.set()
    await asyncio.gather(*waiting)
    await queue.write(mine, one)
    running.cancel()


def test_the_size_of_a_row_is_that_of_its_texts_and_8_bytes_for_each_other_value(
    version: Callable[..., Version],
) -> None:
    assert row_bytes(batch(version(), "x" * 100, "ü", "")).tolist() == [100 + 2 + 48, 2 + 2 + 48, 2 + 48]
