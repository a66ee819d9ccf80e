"""Starts the worker process, watches it, and restarts it when it dies.

Service and worker share a socket pair. The worker's standard input is one end. If one process ends, for any reason, the
other reads end-of-file at once. A worker that reads it finishes its run and exits, so a run survives the service.
`subprocess.Popen` is used because asyncio kills its subprocesses when the event loop closes.
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
# After a run of this length the start was a success, and the backoff begins again after the next exit.
_HEALTHY_SECONDS = 30.0
# An idle worker exits in a quarter of a second. A worker that trains finishes its run.
_EXIT_SECONDS = 1.0


class Supervisor:
    """Keeps one worker process running.

    `command` is extended by a new worker name for each start. `on_death` is called with the name of a dead worker.
    """

    def __init__(
        self, command: Sequence[str], on_death: Callable[[str], Awaitable[None]], backoff: Backoff | None = None
    ) -> None:
        self._command = tuple(command)
        self._on_death = on_death
        self._backoff = backoff or Backoff(first=0.2, cap=10.0)
        self._ready = False
        self.pid: int | None = None

    async def run(self) -> None:
        """Supervise until cancelled. After that an idle worker exits at once, and a busy one after its run."""
        deaths = 0
        while True:
            began, worker = time.monotonic(), f"worker-{uuid4().hex[:12]}"
            code = await self._watch(worker)
            deaths = 1 if time.monotonic() - began > _HEALTHY_SECONDS else deaths + 1
            log.error("%s died with exit code %s and is restarted", worker, code, extra={"attempt": deaths})
            await self._report(worker)
            await asyncio.sleep(self._backoff.delay(deaths))

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: no worker is ready to begin a run.

        """
        if not self._ready:
            raise UnavailableError("the worker process", "it is starting; if this lasts, see its log")

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
                log.info("the worker (process %d) finishes its run and then exits", process.pid)
                # The worker intentionally outlives this process. Without this, Popen warns of a running child.
                process.returncode = 0
            raise

    async def _accompany(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        """Wait until the worker has exited. On cancellation send it end-of-file, and wait a moment for its exit."""
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            self._set_ready(ready=await reader.readline() == READY)
            await reader.read()
        except ConnectionError:
            pass  # the worker was killed before it read, which is an exit like any other
        except asyncio.CancelledError:
            writer.write_eof()
            with suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_SECONDS):
                    await reader.read()
                    await asyncio.to_thread(process.wait)
            raise
        finally:
            self._set_ready(ready=False)
            writer.close()

    async def _report(self, worker: str) -> None:
        try:
            await self._on_death(worker)
        except UnavailableError as error:
            log.warning("the runs of %s can be claimed when their lease ends: %s", worker, error)

    def _set_ready(self, *, ready: bool) -> None:
        self._ready = ready
        metrics.WORKER_READY.set(ready)


def _spawn(command: Sequence[str], stdin: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=stdin.fileno())  # noqa: S603 - our own command
