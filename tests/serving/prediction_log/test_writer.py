"""The log of HTTP answers: no write waits without end, and no large row makes its neighbours fail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.serving.prediction_log.batch import row_bytes
from rondo.serving.prediction_log.writer import LogWriter
from rondo.serving.requests.rows import Rows

from tests.serving.builders import CLASSES, INTERVAL, MULTICLASS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


def batch(version: LoadedVersion, *carriers: str) -> Any:
    rows = len(carriers)
    numbers = np.ones(rows, "f4")
    columns = {
        "distance": numbers, "seats": numbers, "night": numbers, "carrier": np.array(carriers, dtype=np.object_),
    }  # fmt: skip
    source: Any = None
    ids, nothing = [f"r{row}" for row in range(rows)], [None] * rows
    outputs = version.scorer.score(columns)
    return version.log.batch(Rows(ids, nothing, nothing, columns, source), outputs, NOW)


class Blocked:
    """A topic that accepts nothing until `free` is set."""

    def __init__(self) -> None:
        self.free, self.asked = asyncio.Event(), asyncio.Event()

    async def publish(self, _: str, __: bytes) -> None:
        self.asked.set()
        await self.free.wait()


async def test_at_a_stop_pending_and_later_writes_fail(version: Callable[..., LoadedVersion]) -> None:
    mine, topic = version(), Blocked()
    writer = LogWriter(topic.publish)
    running = asyncio.create_task(writer.run())
    writing = asyncio.create_task(writer.write(mine.log, batch(mine, "AA")))
    await topic.asked.wait()
    waiting = asyncio.create_task(writer.write(mine.log, batch(mine, "AA")))
    await asyncio.sleep(0)
    running.cancel()
    for late in (writing, waiting, asyncio.create_task(writer.write(mine.log, batch(mine, "AA")))):
        with pytest.raises(UnavailableError) as caught:
            await late
        assert caught.value.why == "this replica stops"


async def test_pending_bytes_are_bounded(version: Callable[..., LoadedVersion]) -> None:
    mine, topic = version(), Blocked()
    one = batch(mine, "x" * 1_000)
    writer = LogWriter(topic.publish, max_bytes=one.nbytes * 2)
    running = asyncio.create_task(writer.run())
    waiting = [asyncio.create_task(writer.write(mine.log, one)) for _ in range(2)]
    await topic.asked.wait()
    with pytest.raises(UnavailableError) as caught:
        await writer.write(mine.log, one)
    assert caught.value.what == "the inference log"
    assert caught.value.why.startswith("2 answers ")
    topic.free.set()
    await asyncio.gather(*waiting)
    await writer.write(mine.log, one)
    running.cancel()


def test_the_size_of_a_row_is_its_texts_and_8_bytes_for_each_other_value(
    version: Callable[..., LoadedVersion],
) -> None:
    # Two times, three numbers, and the outputs; the ids have two characters.
    rows = batch(version(fitted=INTERVAL), "x" * 100, "ü", "")
    assert row_bytes(rows).tolist() == [100 + 2 + 64, 2 + 2 + 64, 2 + 64]
    rows = batch(version(fitted=MULTICLASS), "")
    assert row_bytes(rows).tolist() == [2 + 48 + len(CLASSES[2]) + 8 * 3]
