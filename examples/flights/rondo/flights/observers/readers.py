"""The readers of a run, each in its own thread: auditor, event listener and backlog."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.flights.observers.auditor import Auditor
from rondo.flights.observers.backlog import Backlog
from rondo.flights.observers.event_listener import EventListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.kafka_connection import KafkaConnection


@dataclass(frozen=True)
class Readers:
    auditor: Auditor
    listener: EventListener
    backlog: Backlog
    threads: tuple[Future[None], ...]

    def check(self) -> None:
        """Check that all readers still run.

        Raises:
            UnreadableError: a reader has ended.

        """
        for thread in self.threads:
            if thread.done():
                thread.result()

    async def close(self, seconds: float) -> int:
        """Wait up to `seconds` until serving is done, then read every topic to its end.

        Return the number of requests that serving has not finished.

        Raises:
            UnreadableError: Kafka does not answer.

        """
        left = await asyncio.to_thread(self.backlog.wait_until_done, seconds)
        self.auditor.finish()
        await asyncio.wrap_future(self.threads[0])
        return left


@contextmanager
def reading(kafka: KafkaConnection) -> Iterator[Readers]:
    """Run the readers while the body runs. Call `close` at its end to count everything."""
    auditor, listener, backlog = Auditor(kafka), EventListener(kafka), Backlog(kafka)
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="readers") as executor:
        runs = (auditor.run, listener.run, backlog.run)
        try:
            yield Readers(auditor, listener, backlog, tuple(executor.submit(run) for run in runs))
        finally:
            auditor.stop()
            listener.stop()
            backlog.stop()
