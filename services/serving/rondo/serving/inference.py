"""Score what came over HTTP: off the event loop, and logged before it is answered.

An answer over HTTP is given only once Kafka has its log record (an idempotent producer, so no retry doubles it): what
was answered is in the log exactly once. What the client never heard, because it or this replica died first, may be
in the log too: the client sends it again as a new request. Records that wait for Kafka at the same time share one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.failures import UnavailableError
from rondo.serving.refusals import unscored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.serving.inference_protocol import Rows
    from rondo.serving.versions import Version

_LOG_SECONDS = 5.0
_MAX_WAITING = 1_000


@dataclass
class Inference:
    """`publish` writes one log record of a model and returns when Kafka has it; raises UnavailableError when not."""

    publish: Callable[[str, bytes], Awaitable[None]]
    now: Callable[[], datetime]
    _waiting: dict[Version, list[tuple[pa.RecordBatch, asyncio.Future[None]]]] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def score(self, version: Version, rows: Rows) -> NDArray[np.float32]:
        """Return the scores of N rows, shape [N], once they are logged.

        Raises:
            RequestRefusedError: the model gives no finite score.
            UnavailableError: Kafka does not take the log; the prediction was not answered.

        """
        scores = await asyncio.to_thread(version.scorer.score, rows.columns)
        if scores.shape != (len(rows.ids),) or not np.isfinite(scores).all():
            raise unscored()
        batch = version.log.batch(rows.ids, rows.entities, rows.event_times, rows.columns, scores, self.now())
        await self._logged(version, batch)
        return scores

    async def run(self) -> None:
        """Write the log until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            waiting, self._waiting = self._waiting, {}
            await asyncio.gather(*(self._write(version, entries) for version, entries in waiting.items()))

    async def _logged(self, version: Version, batch: pa.RecordBatch) -> None:
        entries = self._waiting.setdefault(version, [])
        if len(entries) >= _MAX_WAITING:
            raise UnavailableError("the inference log", f"{_MAX_WAITING} answers wait for it already")
        done = asyncio.get_running_loop().create_future()
        entries.append((batch, done))
        self._arrived.set()
        await done

    async def _write(self, version: Version, entries: list[tuple[pa.RecordBatch, asyncio.Future[None]]]) -> None:
        try:
            async with asyncio.timeout(_LOG_SECONDS):
                for record in version.log.encode([batch for batch, _ in entries]):
                    await self.publish(version.model, record)
        except (UnavailableError, TimeoutError) as error:
            failure = UnavailableError("the inference log", str(error) or f"no answer within {_LOG_SECONDS:g} s")
            for _, done in entries:
                if not done.done():
                    done.set_exception(failure)
            return
        for _, done in entries:
            if not done.done():
                done.set_result(None)
