"""Claims runs one after the other, and brings each to its end: a candidate, a failure, or too little data."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.telemetry import span
from rondo.contracts.events.training import TrainingFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from rondo.trainer.runs.run import Run
    from rondo.trainer.worker.attempt import Attempt, Result
    from rondo.trainer.worker.ports import Runs

log = logging.getLogger(__name__)
T = TypeVar("T")
# A notification can be lost with its connection; the table is the truth, and it is looked at this often anyway.
_POLL_SECONDS = 1.0


class Worker:
    """Works until `leave` is set, and never leaves in the middle of a run.

    `lease` is in seconds; a run is begun at most `attempts` times, with a pause after each that broke. A run that
    pauses, or whose data or champion can't be read now, is handed back, so that others are claimed meanwhile.
    """

    def __init__(
        self,
        runs: Runs,
        attempt: Attempt,
        leave: asyncio.Event,
        lease: float,
        attempts: int,
        pause: Backoff = Backoff(first=1.0, cap=30.0),  # noqa: B008 - frozen
    ) -> None:
        self._runs = runs
        self._attempt = attempt
        self._leave = leave
        self._lease = lease
        self._attempts = attempts
        self._pause = pause
        self._postponed: Counter[str] = Counter()
        self._backoff = Backoff()

    async def work(self) -> None:
        """Claim and run until told to leave."""
        while not self._leave.is_set():
            run = await self._patiently(self._claim)
            if run is not None:
                await self._bring_to_end(run)
            else:
                await first_of(self._runs.wait(_POLL_SECONDS), self._leave.wait())

    async def _claim(self) -> Run | None:
        await self._runs.listen()
        return await self._runs.claim(self._attempts)

    async def _bring_to_end(self, run: Run) -> None:
        with span("train", run.traceparent, model=run.model, run_id=run.id, attempt=run.attempt):
            log.info("%s begins: %s, for %s %s", run.id, run.model, run.trigger.kind, run.trigger.id)
            async with self._leased(run):
                await self._try(run)

    async def _try(self, run: Run) -> None:
        try:
            result = await self._attempt.run(run, self._patiently)
        except UnavailableError as error:
            await self._postpone(run, error)
        except Exception as error:  # the boundary: whatever it is, the run ends with it or is tried again
            log.exception("%s broke, attempt %d of %d", run.id, run.attempt, self._attempts)
            await self._broke(run, error)
        else:
            await self._finish(run, result)

    async def _postpone(self, run: Run, error: UnavailableError) -> None:
        self._postponed[run.id] += 1
        tries = self._postponed[run.id]
        log.warning("%s waits, and lets others go before it: %s", run.id, error, extra={"attempt": tries})
        pause = timedelta(seconds=self._pause.delay(tries))
        await self._patiently(lambda: self._runs.postpone(run, pause))

    async def _broke(self, run: Run, error: Exception) -> None:
        if run.attempt < self._attempts:
            pause = timedelta(seconds=self._pause.delay(run.attempt))
            await self._patiently(lambda: self._runs.hand_back(run, pause))
            return
        reason = (
            f"it broke {run.attempt} times, last with {type(error).__name__}: {error}; nothing in the spec or the"
            " data is known to cause this, and the trainer's log has the details"
        )
        await self._finish(
            run,
            TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason=reason, attempts=run.attempt),
        )

    async def _finish(self, run: Run, result: Result) -> None:
        self._postponed.pop(run.id, None)
        if await self._patiently(lambda: self._runs.finish(run, result)):
            log.info("%s ends as %s", run.id, type(result).__name__)
        else:
            log.warning("%s was given to another worker while this one was silent: its result stands", run.id)

    @asynccontextmanager
    async def _leased(self, run: Run) -> AsyncIterator[None]:
        renewal = asyncio.create_task(self._renew(run))
        try:
            yield
        finally:
            renewal.cancel()

    async def _renew(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                if not await self._runs.renew(run):
                    log.warning("%s is no longer ours", run.id)
                    return
            except UnavailableError as error:
                log.warning("the lease of %s could not be renewed: %s", run.id, error)

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, waiting while something is away; without its service for one lease only, then others take over.

        Raises:
            UnavailableError: told to leave, and still away.

        """
        tries, alone_since = 0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                return await act()
            except UnavailableError as error:
                tries += 1
                log.warning("the worker waits: %s", error, extra={"attempt": tries})
                if self._leave.is_set():
                    alone_since = alone_since or clock()
                    if clock() - alone_since > self._lease:
                        raise
            await asyncio.sleep(self._backoff.delay(tries))


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return when one of them does, and cancel the others."""
    tasks = {asyncio.create_task(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
