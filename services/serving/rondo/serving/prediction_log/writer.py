"""Writes the log of what HTTP requests were answered: an answer is given only once Kafka has its record.

The producer is idempotent, so no retry doubles a record: what was answered is in the log exactly once. If the client
or this replica dies before the answer arrives, the log may hold a row that the client never received; the client
sends a new request. Batches that wait for Kafka at the same time share a record.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pyarrow as pa

    from rondo.serving.prediction_log.batch import VersionLog

_TIMEOUT_SECONDS = 5.0
_MAX_PENDING, _MAX_PENDING_BYTES = 1_000, 64 * 1024 * 1024


@dataclass(slots=True)
class _PendingWrite:
    batch: pa.RecordBatch
    done: asyncio.Future[None]

    def fail(self, error: UnavailableError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@dataclass
class LogWriter:
    """`publish` sends one record of a model and returns when Kafka has it; raises UnavailableError otherwise."""

    publish: Callable[[str, bytes], Awaitable[None]]
    max_bytes: int = _MAX_PENDING_BYTES
    _pending: dict[VersionLog, list[_PendingWrite]] = field(default_factory=dict)
    _bytes: int = 0
    _writes: int = 0
    _added: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: bool = False

    async def write(self, log: VersionLog, batch: pa.RecordBatch) -> None:
        """Return once Kafka has a batch.

        Raises:
            UnavailableError: Kafka does not take it, or too much is pending already.

        """
        if self._stopped:
            raise _unavailable("this replica stops")
        if self._writes >= _MAX_PENDING or self._bytes + batch.nbytes > self.max_bytes:
            raise _unavailable(f"{self._writes} answers of {self._bytes:,} bytes wait for it already")
        write = _PendingWrite(batch, asyncio.get_running_loop().create_future())
        self._pending.setdefault(log, []).append(write)
        self._writes, self._bytes = self._writes + 1, self._bytes + batch.nbytes
        self._added.set()
        try:
            await write.done
        finally:
            self._writes, self._bytes = self._writes - 1, self._bytes - batch.nbytes

    async def run(self) -> None:
        """Write until cancelled; then fail the pending writes, whose records may be missing."""
        taken: dict[VersionLog, list[_PendingWrite]] = {}
        try:
            while True:
                await self._added.wait()
                self._added.clear()
                taken, self._pending = self._pending, {}
                await asyncio.gather(*(self._write(log, writes) for log, writes in taken.items()))
        finally:
            self._stopped = True
            for write in (w for pending in (taken, self._pending) for writes in pending.values() for w in writes):
                write.fail(_unavailable("this replica stops"))

    async def _write(self, log: VersionLog, writes: list[_PendingWrite]) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                for record in log.encode([write.batch for write in writes]):
                    await self.publish(log.model, record)
        except (UnavailableError, TimeoutError) as error:
            failure = _unavailable(str(error) or f"no answer within {_TIMEOUT_SECONDS:g} s")
            for write in writes:
                write.fail(failure)
            return
        for write in writes:
            if not write.done.done():
                write.done.set_result(None)


def _unavailable(why: str) -> UnavailableError:
    return UnavailableError("the inference log", why)
