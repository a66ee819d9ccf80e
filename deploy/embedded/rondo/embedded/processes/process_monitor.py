"""Monitors the processes of a running stack: restarts dead servers, and reports deaths and frozen processes.

`service_process.py` restarts services. A server that was ended by `kill` or `stop` stays down until its owner restarts
it.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.server import Server
from rondo.embedded.processes.service_process import ServiceProcess
from rondo.embedded.progress import Progress, silent

_POLL_SECONDS = 0.25
_RETRY_SECONDS = 2.0


class ProcessMonitor:
    """Monitors processes inside `async with`. Each report is a line of JSON in `log`, and goes to `progress`."""

    def __init__(self, servers: Sequence[Server], services: Sequence[ServiceProcess], log: Path) -> None:
        self.progress: Progress = silent
        self._servers, self._services, self._log = servers, services, log
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="process monitor")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the monitor before the processes are stopped, so that their end is not reported as a death."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self) -> None:
        """Wait until the monitor fails, or this call is cancelled."""
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(self._restart_on_death(server))
                group.create_task(self._report_pauses(server.name, server.process))
            for service in self._services:
                group.create_task(self._report_restarts(service))
                group.create_task(self._report_pauses(service.name, service.process))

    async def _restart_on_death(self, server: Server) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if server.has_died:
                code = server.process.exit_code
                self._report("ERROR", f"{server.name} died with exit code {code}: restarting it with its data")
                server.restarts += 1
                await self._restart(server)
                self._report("INFO", f"{server.name} is ready again")

    async def _restart(self, server: Server) -> None:
        while True:
            try:
                await server.restart()
            except (NotReadyError, OSError) as error:
                self._report("ERROR", f"{error}; retrying")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _report_restarts(self, service: ServiceProcess) -> None:
        seen = service.restarts
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if service.restarts > seen:
                seen = service.restarts
                self._report("ERROR", f"{service.name} died with exit code {service.last_exit_code} and was restarted")

    async def _report_pauses(self, name: str, process: Process) -> None:
        paused = False
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            before, paused = paused, process.is_paused
            if paused and not before:
                self._report("ERROR", f"{name} is frozen and answers nothing: `kill -CONT {process.pid}` continues it")
            elif before and not paused and process.is_running:
                self._report("INFO", f"{name} is no longer frozen")

    def _report(self, level: str, message: str) -> None:
        line = {"time": datetime.now(UTC).isoformat(), "level": level, "service": "stack", "message": message}
        # A full disk often ends servers. A failed write to the log must not end the monitor, too.
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self.progress(message)
