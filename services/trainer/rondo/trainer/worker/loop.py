"""Claims runs one after the other. Each ends with a candidate, with a failure, or as skipped."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rondo.chassis.errors import Backoff, UnavailableError, panics_as_errors
from rondo.chassis.retry import Retry
from rondo.chassis.telemetry import span
from rondo.contracts.events.training import TrainingFailed
from rondo.trainer.errors import ClaimLostError
from rondo.trainer.run import Ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from rondo.trainer.ports import RunQueue
    from rondo.trainer.run import Run
    from rondo.trainer.worker.attempt import Attempt

log = logging.getLogger(__name__)
T = TypeVar("T")
# A notification is lost if its connection breaks, so the table is polled, too.
_POLL_SECONDS = 1.0
_UNEXPECTED = "%s failed unexpectedly, attempt %d of %d"


class Worker:
    """Works until `stop` is set. A run in progress is finished first.

    `lease` is in seconds. A run has at most `max_attempts` attempts, with a pause after each failed one. A run that
    pauses, or whose data or champion is unavailable, returns to the queue, so that other runs are claimed meanwhile.
    """

    def __init__(
        self,
        queue: RunQueue,
        attempt: Attempt,
        stop: asyncio.Event,
        lease: float,
        max_attempts: int,
        pause: Backoff = Backoff(first=1.0, cap=30.0),  # noqa: B008 - frozen
    ) -> None:
        self._queue = queue
        self._attempt = attempt
        self._stop = stop
        self._lease = lease
        self._max_attempts = max_attempts
        self._pause = pause
        self._postponed: Counter[str] = Counter()
        self._backoff = Backoff()

    async def work(self) -> None:
        """Claim and run until stopped."""
        while not self._stop.is_set():
            run = await self._retry(self._claim)
            if run is not None:
                await self._run(run)
            else:
                await first_of(self._queue.wait(_POLL_SECONDS), self._stop.wait())

    async def _claim(self) -> Run | None:
        await self._queue.listen()
        return await self._queue.claim(self._max_attempts)

    async def _run(self, run: Run) -> None:
        with span("train", run.traceparent, model=run.model, run_id=run.id, attempt=run.attempt):
            log.info(
                "run %s of %s begins, because of the trigger %s %s", run.id, run.model, run.trigger.kind, run.trigger.id
            )
            async with self._leased(run):
                await self._try(run)

    async def _try(self, run: Run) -> None:
        try:
            # Polars and deltalake, which may panic, are used in all steps of an attempt.
            with panics_as_errors():
                ended = await self._attempt.run(run, self._retry)
        except UnavailableError as error:
            await self._postpone(run, error)
        except ClaimLostError as error:
            log.warning("%s: this worker stops working on it", error)
        except Exception as error:  # the boundary: an unexpected error ends the run, or another attempt is made
            log.exception(_UNEXPECTED, run.id, run.attempt, self._max_attempts)
            await self._retry_later(run, error)
        else:
            await self._finish_or_retry_later(run, ended)

    async def _finish_or_retry_later(self, run: Run, ended: Ended) -> None:
        try:
            await self._finish(run, ended)
        except UnavailableError:
            raise
        except Exception as error:  # as above: the result of a run may not be storable, but its failure is
            log.exception(_UNEXPECTED, run.id, run.attempt, self._max_attempts)
            await self._retry_later(run, error)

    async def _postpone(self, run: Run, error: UnavailableError) -> None:
        self._postponed[run.id] += 1
        tries = self._postponed[run.id]
        log.warning("%s is postponed: %s", run.id, error, extra={"attempt": tries})
        pause = timedelta(seconds=self._pause.delay(tries))
        await self._retry(lambda: self._queue.postpone(run, pause))

    async def _retry_later(self, run: Run, error: Exception) -> None:
        if run.attempt < self._max_attempts:
            pause = timedelta(seconds=self._pause.delay(run.attempt))
            await self._retry(lambda: self._queue.hand_back(run, pause))
            return
        reason = (
            f"it failed {run.attempt} times unexpectedly, last with {type(error).__name__}: {error}; no fault of"
            " the spec or the data is known to cause this: see the trainer's log"
        )
        failed = TrainingFailed(
            model=run.model, run_id=run.id, trigger=run.trigger, reason=reason, attempts=run.attempt
        )
        await self._finish(run, Ended(failed))

    async def _finish(self, run: Run, ended: Ended) -> None:
        self._postponed.pop(run.id, None)
        if await self._retry(lambda: self._queue.finish(run, ended)):
            log.info("%s ended with %s", run.id, type(ended.result).__name__)
        else:
            log.warning("%s was taken over by another worker: the result of this one is dropped", run.id)

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
                if not await self._queue.renew(run):
                    log.warning("the claim of %s is lost", run.id)
                    return
            except UnavailableError as error:
                log.warning("the lease of %s could not be renewed: %s", run.id, error)

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Retry a call while it raises `UnavailableError`.

        After a stop the retries last at most one lease, because another worker then takes the run.

        Raises:
            UnavailableError: the worker was stopped, and the call still fails.

        """
        stopped_at = 0.0
        clock = asyncio.get_running_loop().time

        def give_up_after_a_lease(error: Exception) -> None:
            nonlocal stopped_at
            if self._stop.is_set():
                stopped_at = stopped_at or clock()
                if clock() - stopped_at > self._lease:
                    raise error

        return await Retry("the worker", backoff=self._backoff, on_failure=give_up_after_a_lease).call(call)


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of the coroutines returns, and cancel the others."""
    tasks = {asyncio.create_task(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
