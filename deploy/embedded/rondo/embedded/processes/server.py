"""The life of a server that the stack owns: prepare, launch, ready, stop; and what fault tests do to it."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process

_POLL_SECONDS = 0.05


class Server(ABC):
    """A real server in a child process, for use with `with`, with `async with`, or by start() and stop()."""

    name: str
    process: Process
    ready_within_seconds: float = 60
    stop_within_seconds: float = 20
    restarts: int = 0
    """How often it has died, and was or is being started again."""
    _meant_to_run: bool = False

    @abstractmethod
    def prepare(self) -> None:
        """Make all that the process needs. It may take seconds, and runs in a thread of its own."""

    @abstractmethod
    async def answers(self) -> bool:
        """Say whether the server serves its clients already."""

    async def start(self) -> Self:
        """Prepare, launch and wait until clients are served."""
        await asyncio.to_thread(self.prepare)
        await self.launch()
        return self

    async def launch(self) -> None:
        """Start the process (from the main thread, see `tether.py`) and wait until clients are served."""
        self.process.start()
        try:
            async with asyncio.timeout(self.ready_within_seconds):
                await self._wait_ready()
        except TimeoutError:
            why = f"no answer within {self.ready_within_seconds:.0f} s"
            raise NotReadyError(self.name, why, self.process.log, self.process.last_line()) from None
        self._meant_to_run = True

    async def _wait_ready(self) -> None:
        while not await self.answers():
            if not self.process.is_running:
                why = f"it ended with exit code {self.process.exit_code}"
                raise NotReadyError(self.name, why, self.process.log, self.process.last_line())
            await asyncio.sleep(_POLL_SECONDS)

    @property
    def has_died(self) -> bool:
        """Whether it served its clients, and has ended although nobody here ended it."""
        return self._meant_to_run and not self.process.is_running

    def stop(self) -> None:
        """Ask the server to end, and make sure that it does."""
        self._meant_to_run = False
        self.process.stop(self.stop_within_seconds)

    def kill(self) -> None:
        """End it as a power cut would: no flush, no goodbye. It stays down until `restart`."""
        self._meant_to_run = False
        self.process.kill_session()

    async def restart(self) -> None:
        """Start it again with its data and on its port, after `kill` or in place of the running one."""
        self.kill()
        await self.launch()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.resume()

    async def __aenter__(self) -> Self:
        """Start; what a failed start has begun is ended."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            await self.start()
            undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await asyncio.to_thread(self.stop)

    def __enter__(self) -> Self:
        """Start, from code without an event loop."""
        return asyncio.run(self.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
