"""Those who read along, each on a thread of its own: the auditor, the listener, and who counts what is left to do."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.flights.observers.auditor import Auditor
from rondo.flights.observers.backlog import Backlog
from rondo.flights.observers.event_listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Readers:
    """Three readers and their threads."""

    auditor: Auditor
    listener: Listener
    backlog: Backlog
    threads: tuple[Future[None], ...]

    def check(self) -> None:
        """See that all of them still read.

        Raises:
            UnreadableError: one has ended, and why.

        """
        for thread in self.threads:
            if thread.done():
                thread.result()

    async def close(self, seconds: float) -> int:
        """Wait until serving has nothing left to do, then read every topic to the end that it has by then.

        Returns how many requests serving had left to do nevertheless.

        Raises:
            UnreadableError: Kafka does not answer.

        """
        left = await asyncio.to_thread(self.backlog.wait_until_done, seconds)
        self.auditor.finish()
        await asyncio.wrap_future(self.threads[0])
        return left


@contextmanager
def reading(bootstrap: str) -> Iterator[Readers]:
    """Read along while the body runs; whoever wants to have everything counted calls `close` before its end."""
    auditor, listener, backlog = Auditor(bootstrap), Listener(bootstrap), Backlog(bootstrap)
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="readers") as executor:
        runs = (auditor.run, listener.run, backlog.run)
        try:
            yield Readers(auditor, listener, backlog, tuple(executor.submit(run) for run in runs))
        finally:
            auditor.stop()
            listener.stop()
            backlog.stop()
