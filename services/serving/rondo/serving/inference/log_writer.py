"""The log of what is answered over HTTP: an answer is given only once Kafka has its record.

An idempotent producer writes it, so no retry doubles it: what was answered is in the log exactly once. What the
client never heard, because it or this replica died first, may be in the log too: the client sends it again as a new
request. Batches that wait for Kafka at the same time share a record.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pyarrow as pa

    from rondo.serving.models.loaded_version import Version

_LOG_SECONDS = 5.0
_MAX_WAITING, _MAX_WAITING_BYTES = 1_000, 64 * 1024 * 1024


@dataclass(slots=True)
class _Entry:
    batch: pa.RecordBatch
    done: asyncio.Future[None]

    def fail(self, error: UnavailableError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@dataclass
class LogQueue:
    """`publish` writes one log record of a model and returns when Kafka has it; raises UnavailableError when not."""

    publish: Callable[[str, bytes], Awaitable[None]]
    max_bytes: int = _MAX_WAITING_BYTES
    _waiting: dict[Version, list[_Entry]] = field(default_factory=dict)
    _bytes: int = 0
    _entries: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False

    async def write(self, version: Version, batch: pa.RecordBatch) -> None:
        """Return once Kafka has a batch.

        Raises:
            UnavailableError: Kafka does not take it, or too much waits for it already.

        """
        if self._ended:
            raise _away("this replica stops")
        if self._entries >= _MAX_WAITING or self._bytes + batch.nbytes > self.max_bytes:
            raise _away(f"{self._entries} answers of {self._bytes:,} bytes wait for it already")
        entry = _Entry(batch, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(version, []).append(entry)
        self._entries, self._bytes = self._entries + 1, self._bytes + batch.nbytes
        self._arrived.set()
        try:
            await entry.done
        finally:
            self._entries, self._bytes = self._entries - 1, self._bytes - batch.nbytes

    async def run(self) -> None:
        """Write until cancelled; what waits then hears that it is not in the log for sure."""
        taken: dict[Version, list[_Entry]] = {}
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                taken, self._waiting = self._waiting, {}
                await asyncio.gather(*(self._write(version, entries) for version, entries in taken.items()))
        finally:
            self._ended = True
            for entry in (e for waiting in (taken, self._waiting) for entries in waiting.values() for e in entries):
                entry.fail(_away("this replica stops"))

    async def _write(self, version: Version, entries: list[_Entry]) -> None:
        try:
            async with asyncio.timeout(_LOG_SECONDS):
                for record in version.log.encode([entry.batch for entry in entries]):
                    await self.publish(version.model, record)
        except (UnavailableError, TimeoutError) as error:
            failure = _away(str(error) or f"no answer within {_LOG_SECONDS:g} s")
            for entry in entries:
                entry.fail(failure)
            return
        for entry in entries:
            if not entry.done.done():
                entry.done.set_result(None)


def _away(why: str) -> UnavailableError:
    return UnavailableError("the inference log", why)
