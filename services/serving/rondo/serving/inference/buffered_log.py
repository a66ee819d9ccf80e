"""The log of answers that were sent before Kafka had it (`serving.log: buffered`)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from rondo.chassis.errors import UnavailableError
from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from rondo.serving.inference.scored import Scored
    from rondo.serving.prediction_log.batch import VersionLog

    Publish = Callable[[Sequence[Scored]], Awaitable[None]]

log = logging.getLogger(__name__)
_SECONDS = 0.01


class BufferedLog:
    """Gathers the log of a model for 10 ms, and publishes it as one record for each version.

    `size` is the number of bytes of the requests whose log Kafka has not taken; the caller bounds it.
    """

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._parts: list[Scored] = []
        self.size = 0
        self._writing: asyncio.Task[None] | None = None

    def add(self, parts: Sequence[Scored], size: int) -> None:
        """Publish the log of requests of `size` bytes within 10 ms."""
        if not parts:
            return
        self._parts += parts
        self.size += size
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Return once everything is published, or lost."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        try:
            while self._parts:
                await asyncio.sleep(_SECONDS)
                parts, self._parts, size = self._parts, [], self.size
                try:
                    await self._publish(_by_version(parts))
                except UnavailableError as error:
                    rows = sum(part.log.num_rows for part in parts)
                    metrics.LOST_LOG_ROWS.labels(parts[0].version.model).inc(rows)
                    log.error("%s: the log of %d rows that were answered is lost", error, rows)  # noqa: TRY400
                finally:
                    self.size -= size
        finally:
            self._writing = None


def _by_version(parts: Iterable[Scored]) -> list[Scored]:
    """Return one part for each version in each role, with the rows of all of its parts."""
    found: dict[VersionLog, list[Scored]] = {}
    for part in parts:
        found.setdefault(part.version.log, []).append(part)
    return [
        same[0] if len(same) == 1 else replace(same[0], log=pa.concat_batches([part.log for part in same]))
        for same in found.values()
    ]
