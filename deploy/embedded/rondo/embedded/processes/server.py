"""The life cycle of a server of the stack: prepare, launch, wait until ready, stop. Tests use its faults."""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process

_POLL_SECONDS = 0.05


@dataclass
class StartLimit:
    """The limits of a start: it fails after `inactive` seconds without output, or after `total` seconds.

    On a slow or busy machine a start takes minutes, and the log grows during that time. Times are those of a monotonic
    clock.
    """

    inactive: float
    total: float
    started: float
    _output: int = -1
    _active: float = 0

    def exceeded(self, output: int, now: float) -> str | None:
        """Return the reason why the start has failed. None if it has not. `output` is the size of the log in bytes."""
        if output != self._output:
            self._output, self._active = output, now
        if now - self.started >= self.total:
            return f"no answer within {self.total:.0f} s, although it still writes its log"
        if now - self._active >= self.inactive:
            return f"no answer, and no line in its log for {self.inactive:.0f} s"
        return None


class Server(ABC):
    """A server in a child process. Use it with `with`, `async with`, or start() and stop()."""

    name: str
    process: Process
    inactive_seconds: float = 60
    ready_within_seconds: float = 600
    stop_within_seconds: float = 20
    restarts: int = 0
    """The number of restarts after a death."""
    _should_run: bool = False

    @abstractmethod
    def prepare(self) -> None:
        """Create everything that the process needs. The method runs in a thread, because it may take seconds."""

    @abstractmethod
    async def answers(self) -> bool:
        """Return whether the server serves clients."""

    async def start(self) -> Self:
        """Prepare, launch and wait until clients are served.

        Raises:
            NotReadyError: the process ended, or did not become ready in time.

        """
        await asyncio.to_thread(self.prepare)
        await self.launch()
        return self

    async def launch(self) -> None:
        """Start the process (from the main thread, see `parent_death.py`) and wait until clients are served."""
        self.process.start()
        limit = StartLimit(self.inactive_seconds, self.ready_within_seconds, time.monotonic())
        while not await self._answers_in_time():
            if not self.process.is_running:
                raise self._not_ready(f"it ended with exit code {self.process.exit_code}")
            if why := limit.exceeded(self.process.log.stat().st_size, time.monotonic()):
                raise self._not_ready(why)
            await asyncio.sleep(_POLL_SECONDS)
        self._should_run = True

    async def _answers_in_time(self) -> bool:
        try:
            async with asyncio.timeout(self.inactive_seconds):
                return await self.answers()
        except TimeoutError:
            return False

    def _not_ready(self, why: str) -> NotReadyError:
        return NotReadyError(self.name, why, self.process.log, self.process.last_line())

    @property
    def has_died(self) -> bool:
        """True if the server was ready and has ended without a call of `stop` or `kill`."""
        return self._should_run and not self.process.is_running

    def stop(self) -> None:
        """Stop the server gracefully, and kill it if it takes too long."""
        self._should_run = False
        self.process.stop(self.stop_within_seconds)

    def kill(self) -> None:
        """End the server as a power cut would. It stays down until `restart`."""
        self._should_run = False
        self.process.kill_session()

    async def restart(self) -> None:
        """Kill the server if it runs, and start it with the same data and port."""
        self.kill()
        await self.launch()

    def pause(self) -> None:
        """Stop the server with SIGSTOP. Connections stay open, and nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    async def __aenter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            await self.start()
            undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def __enter__(self) -> Self:
        return asyncio.run(self.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
