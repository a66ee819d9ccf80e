"""Starts the worker process, watches it, and starts it anew when it dies.

The two are tied by a socket that is the worker's standard input: whoever goes, however it goes, the other reads the
end of it at once. The worker then finishes its run and leaves; so a run survives the service. `Popen` and not
asyncio's own subprocesses, for those kill their child when the event loop ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.trainer import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

log = logging.getLogger(__name__)
READY = b"ready\n"
# Alive for this long, a worker has shown that it can run: its next death is a new story.
_HEALTHY_SECONDS = 30.0
_LEAVE_SECONDS = 3.0


class Supervisor:
    """Keeps one worker running: `command` and a worker's name. `on_death` hears the name of one that died."""

    def __init__(
        self, command: Sequence[str], on_death: Callable[[str], Awaitable[None]], backoff: Backoff | None = None
    ) -> None:
        self._command = tuple(command)
        self._on_death = on_death
        self._backoff = backoff or Backoff(first=0.2, cap=10.0)
        self._ready = False
        self.pid: int | None = None

    async def run(self) -> None:
        """Supervise until cancelled; then let the worker go: at once when it is idle, else after its run."""
        deaths = 0
        while True:
            began, worker = time.monotonic(), f"worker-{uuid4().hex[:12]}"
            code = await self._watch(worker)
            deaths = 1 if time.monotonic() - began > _HEALTHY_SECONDS else deaths + 1
            log.error("%s died with exit code %s and is started anew", worker, code, extra={"attempt": deaths})
            await self._report(worker)
            await asyncio.sleep(self._backoff.delay(deaths))

    async def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: there is no worker that could begin a run.

        """
        if not self._ready:
            raise UnavailableError("the worker process", "it is starting; if this lasts, its log says why")

    async def _watch(self, worker: str) -> int:
        ours, theirs = socket.socketpair()
        with theirs:
            process = _spawn([*self._command, worker], theirs)
        self.pid = process.pid
        metrics.WORKER_STARTS.inc()
        try:
            await self._accompany(process, ours)
            return await asyncio.to_thread(process.wait)
        except asyncio.CancelledError:
            if process.poll() is None:
                log.info("the worker (process %d) finishes its run and leaves by itself", process.pid)
                # It lives on by intention: without this Popen warns of a forgotten child when it is collected.
                process.returncode = 0
            raise

    async def _accompany(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        """Return when the worker is gone; when cancelled, tell it to leave, and wait for a moment whether it does."""
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            self._say_ready(ready=await reader.readline() == READY)
            await reader.read()
        except ConnectionError:
            pass  # killed before it read what we wrote: an end like any other
        except asyncio.CancelledError:
            writer.write_eof()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await reader.read()
                    await asyncio.to_thread(process.wait)
            raise
        finally:
            self._say_ready(ready=False)
            writer.close()

    async def _report(self, worker: str) -> None:
        try:
            await self._on_death(worker)
        except UnavailableError as error:
            log.warning("the runs of %s wait for their lease to end: %s", worker, error)

    def _say_ready(self, *, ready: bool) -> None:
        self._ready = ready
        metrics.WORKER_READY.set(ready)


def _spawn(command: Sequence[str], stdin: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=stdin.fileno())  # noqa: S603 - our own command
