"""Requests of rows, and a topic that keeps their log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.serving.requests.rows import SentRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.loaded_version import ServedModel


NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


class Source:
    """The source of the rows of one request."""

    def __init__(self, distances: Sequence[float]) -> None:
        self._distances = distances

    def features(self, row: int) -> Mapping[str, Any]:
        return {"distance": self._distances[row], "night": False}

    def where(self, row: int) -> str:
        return f" at row {row}"


def rows_of(name: str, *distances: float) -> SentRows:
    count = len(distances)
    values = {
        "distance": list(distances), "seats": [None] * count, "night": [False] * count, "carrier": [None] * count,
    }  # fmt: skip
    nothing = [None] * count
    return SentRows([f"{name}/{row}" for row in range(count)], nothing, nothing, values, Source(distances))


class Topic:
    """Keeps records. Accepts nothing while `free` is cleared."""

    def __init__(self) -> None:
        self.free, self.asked = asyncio.Event(), asyncio.Event()
        self.free.set()
        self.records: list[list[str]] = []
        self.failure: Exception | None = None
        self.failed = 0

    async def publish(self, _: str, record: bytes) -> None:
        self.asked.set()
        await self.free.wait()
        if self.failure:
            raise self.failure
        batch = logs.decode(record)
        self.records.append(batch.column("id").to_pylist())
        self.failed += InferenceCost.parse(logs.metadata(batch).get(inference_cost.KEY)).failed


def scores(answered: Sequence[Answered], rows: int) -> list[float]:
    found = [float("nan")] * rows
    for part in answered:
        for row, score in zip(part.numbers, part.outputs["score"].tolist(), strict=True):
            found[row] = score
    return found


async def all_of(service: InferenceService, served: ServedModel, requests: Sequence[SentRows]) -> list[Any]:
    """Send requests in the same turn of the loop. Return the result of each."""
    return await asyncio.gather(
        *(service.infer_logged(served, each, size=10) for each in requests), return_exceptions=True
    )
