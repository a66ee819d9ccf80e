"""The log of answers that are sent before Kafka has it (`serving.log: buffered`)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

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

    Rows that a version scored without answering them have a separate record. `size` is the number of bytes of the
    requests whose log Kafka has not acknowledged. The caller limits it.
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
        """Return when everything is published or lost."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        try:
            while self._parts:
                await asyncio.sleep(_SECONDS)
                parts, self._parts, size = self._parts, [], self.size
                await asyncio.gather(*map(self._publish_joined, _by_version(parts)))
                self.size -= size
        finally:
            self._writing = None

    async def _publish_joined(self, parts: Sequence[Scored]) -> None:
        """Publish one record.

        An error only loses the rows of this record, because no caller waits who could publish it again.
        """
        try:
            await self._publish([_joined(parts)])
        except UnavailableError as error:
            log.error("%s: the log of %d rows that were answered is lost", error, _lost(parts))  # noqa: TRY400
        except Exception:
            log.exception("the log of %d rows that were answered is lost", _lost(parts))


def _lost(parts: Sequence[Scored]) -> int:
    """Count the answered rows of one record as lost, and return their number."""
    rows = sum(len(part.rows) for part in parts if part.sent)
    metrics.LOST_LOG_ROWS.labels(parts[0].version.model).inc(rows)
    return rows


def _by_version(parts: Iterable[Scored]) -> Iterable[Sequence[Scored]]:
    """Group parts by version in each role.

    Rows that were sent are a separate group, because only they count as answers.
    """
    found: dict[tuple[VersionLog, bool], list[Scored]] = {}
    for part in parts:
        found.setdefault((part.version.log, part.sent), []).append(part)
    return found.values()


def _joined(parts: Sequence[Scored]) -> Scored:
    """Return one part with the rows of all parts, with the latest time of these."""
    last = parts[-1]
    rows = last.version.schema.joined([part.rows for part in parts])
    outputs = {name: np.concatenate([part.outputs[name] for part in parts]) for name in last.outputs}
    return replace(last, numbers=range(len(rows)), rows=rows, outputs=outputs)
