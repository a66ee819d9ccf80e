"""The path and tensors of a request of the Open Inference Protocol, and a log to publish its answers to."""

from __future__ import annotations

import asyncio
from typing import Any

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import logs

INFER = "/v2/models/delay/infer"


class LogTopic:
    """Keeps what is published, or is unavailable."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.unavailable = False

    async def publish(self, _: str, record: bytes) -> None:
        if self.unavailable:
            raise UnavailableError("the inference log", "Kafka sleeps")
        self.batches.append(logs.decode(record))


class SlowTopic(LogTopic):
    """Accepts no record while `free` is cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def publish(self, model: str, record: bytes) -> None:
        self.asked.set()
        await self.free.wait()
        await super().publish(model, record)


def tensor(name: str, datatype: str, *data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data), 1], "data": list(data)}


DISTANCE, NIGHT = tensor("distance", "FP32", 1.5, 3), tensor("night", "BOOL", *[True, False])
