"""Looks after a stack that runs: Kafka and PostgreSQL are started again when they die, and every death is told.

The services are started again by `supervision.py`. What its owner has ended by `kill` or `stop` stays down until the
owner starts it: tests do that, and a fault is theirs to end.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.server import Server
from rondo.embedded.processes.service_process import RunningService
from rondo.embedded.progress import Progress, silent

if TYPE_CHECKING:
    from rondo.embedded.stack import Stack

_LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 2.0


class Watchman:
    """Watches while one is inside (`async with`); what it sees is a line of JSON in `log`, and `say` hears of it."""

    def __init__(self, servers: Sequence[Server], services: Sequence[RunningService], log: Path) -> None:
        """Take servers and services that run."""
        self.say: Progress = silent
        self._servers, self._services, self._log = servers, services, log
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Begin."""
        self.task = asyncio.create_task(self._watch(), name="watchman")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, before those end that are watched."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as watches:
            for server in self._servers:
                watches.create_task(self._keep_running(server))
                watches.create_task(self._tell_pauses(server.name, server.process))
            for service in self._services:
                watches.create_task(self._tell_restarts(service))
                watches.create_task(self._tell_pauses(service.name, service.process))

    async def _keep_running(self, server: Server) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if server.has_died:
                code = server.process.exit_code
                self._tell("ERROR", f"{server.name} died with exit code {code}: starting it again, with its data")
                server.restarts += 1
                await self._start_again(server)
                self._tell("INFO", f"{server.name} answers again")

    async def _start_again(self, server: Server) -> None:
        while True:
            try:
                await server.restart()
            except (NotReadyError, OSError) as error:
                self._tell("ERROR", f"{error}; this will be tried again")
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def _tell_restarts(self, service: RunningService) -> None:
        seen = service.restarts
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if service.restarts > seen:
                seen = service.restarts
                self._tell(
                    "ERROR", f"{service.name} died with exit code {service.last_exit_code} and was started again"
                )

    async def _tell_pauses(self, name: str, process: Process) -> None:
        paused = False
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            before, paused = paused, process.is_paused
            if paused and not before:
                self._tell("ERROR", f"{name} is frozen and answers nothing: `kill -CONT {process.pid}` lets it go on")
            elif before and not paused and process.is_running:
                self._tell("INFO", f"{name} is no longer frozen")

    def _tell(self, level: str, message: str) -> None:
        line = {"time": datetime.now(UTC).isoformat(), "level": level, "service": "stack", "message": message}
        # The disk may be full, which is when servers die: what is watched is more than what is written about it.
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self.say(message)


async def keep_running(stack: "Stack", say: Progress) -> None:
    """Let `say` hear of every death of a running stack, until cancelled."""
    stack.watchman.say = say
    await asyncio.shield(stack.watchman.task)
