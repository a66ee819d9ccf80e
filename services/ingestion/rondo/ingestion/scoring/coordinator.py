"""Runs scoring jobs one after another: sends the parts that have no scores, and commits once all parts have scores.

The state is in PostgreSQL and in the files of the scores. After a crash the parts that were sent but not answered are
sent again. Serving may then answer a part twice, and the second answer is ignored.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.chassis import object_store
from rondo.chassis.errors import UnavailableError, panics_as_errors
from rondo.contracts.events import scores
from rondo.contracts.vocabularies import ScoringFailure
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring import jobs as scoring_jobs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    import pyarrow as pa

    from rondo.contracts.events.data import DataVersion
    from rondo.ingestion.scoring.delta_scores import DeltaScores
    from rondo.ingestion.scoring.delta_source import DeltaSource
    from rondo.ingestion.scoring.plan import Part
    from rondo.ingestion.scoring.store import JobRun, ScoringJobs

log = logging.getLogger(__name__)
# The interval in which the store is polled for jobs, in seconds.
PAUSE = 1.0
# The number of parts that are sent and not answered. Each partition has some, so that no replica waits for the next
# one.
_WINDOW = 24
# The time in seconds without any answer after which the parts are sent again, and the number of repetitions.
_SILENCE = 60.0
_TRIES = 10
# The interval of checks of the run, in seconds. Another process may have taken it over, and a run without checks is
# lost.
_CHECK_SECONDS = 5.0
_MAX_TEXT = 200
# The same parts would fail again after these errors, so the next attempt divides the data again.
_PLANS_AGAIN = frozenset({ScoringFailure.PART_TOO_LARGE, ScoringFailure.DATA_CHANGED})


@dataclass
class Coordinator:
    """Runs the jobs of a store. `send` publishes a message of `scores.requested` with its key."""

    source: DeltaSource
    tables: DeltaScores
    jobs: ScoringJobs
    send: Callable[[bytes, str], Awaitable[object]]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    silence: float = _SILENCE
    _job: str | None = None
    _last: str = ""
    _open: set[int] = field(default_factory=set)
    _error: ScoringFailedError | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def tick(self) -> float:
        """Run the oldest requested job, if there is one. Returns the seconds until the next poll.

        Raises:
            UnavailableError: PostgreSQL, Kafka or the data storage is unavailable. The job continues later. Another
            job,
                whose data may be available, comes first.

        """
        async with self.jobs.next(self._last) as run:
            if run is None:
                return PAUSE
            request = run.request
            self._job = self._last = request.job
            self._error = None
            try:
                committed, error = await self._result(run)
            finally:
                self._job = None
                self._open.clear()
            again = error is not None and error.code in _PLANS_AGAIN
            job = None if again else await self.jobs.job(request.job)
            await run.end(scoring_jobs.ended(request, job, self.clock(), committed, error), forget_parts=again)
            return 0.0

    async def _result(self, run: JobRun) -> tuple[DataVersion | None, ScoringFailedError | None]:
        """Return the version that was committed, or the error of the job."""
        try:
            with panics_as_errors():
                return await _while_held(run, self._run(run)), None
        except UnavailableError:
            raise
        except ScoringFailedError as error:
            log.warning("scoring job %s fails: %s", run.request.job, error)
            return None, error
        except Exception as error:  # the boundary: the service would run the same job again, and no other one
            log.exception("scoring job %s fails", run.request.job)
            return None, unexpected(error)

    def answered(self, job: str, part: int) -> None:
        """Record that a part is done."""
        if job == self._job:
            self._open.discard(part)
            self._changed.set()

    def failed(self, job: str, error: ScoringFailedError) -> None:
        """Record that serving can't score a job, or that its answer can't be used."""
        if job == self._job:
            self._error = error
            self._changed.set()

    async def _run(self, run: JobRun) -> DataVersion:
        request = run.request
        table = scoring_jobs.table_of(request)
        if (committed := await asyncio.to_thread(self.tables.committed, table, request.job)) is not None:
            return committed
        if not await self.jobs.planned(request.job):
            parts = await asyncio.to_thread(self.source.parts, request)
            if not parts:
                what = f"version {request.data_version} of {request.dataset} has no rows: publish a batch"
                raise ScoringFailedError(ScoringFailure.DATA_MISSING, what)
            await run.check()
            await self.jobs.save_plan(request.job, parts)
        for _ in range(_TRIES):
            await self._score(run)
            await run.check()
            written, job = await self.jobs.written(request.job), await self.jobs.job(request.job)
            rows, planned = sum(part.rows for part in written), job.rows if job else None
            if rows != planned:
                what = f"the parts of the job have {rows:,} rows, and its plan has {planned or 0:,}"
                raise ScoringFailedError(
                    ScoringFailure.DATA_CHANGED, f"{what}: run the same command again, and it starts from the beginning"
                )
            if not (lost := await asyncio.to_thread(self.tables.lost, table, written)):
                return await asyncio.to_thread(self.tables.commit, table, request, written)
            log.warning("scoring job %s: the files of %d parts are lost, and are made again", request.job, len(lost))
            await run.check()
            await self.jobs.reopen(request.job, lost)
        what = f"files of {table} are lost as often as they are written ({_TRIES} times)"
        advice = "see that nothing removes files of the data storage, and run the same command again"
        raise ScoringFailedError(ScoringFailure.SCORES_LOST, f"{what}: {advice}")

    async def _score(self, run: JobRun) -> None:
        """Send all parts, repeat those without an answer, and return once all parts are done.

        Raises:
            ScoringFailedError: serving refuses the version, or does not answer.

        """
        tries, before = 0, -1
        while parts := await self.jobs.remaining(run.request.job):
            tries = tries + 1 if len(parts) == before else 1
            if tries > _TRIES:
                what = f"no replica answered for {_TRIES * self.silence / 60:g} minutes"
                advice = "see that serving runs, with RONDO_BULK_THREADS above 0, and run the same command again"
                raise ScoringFailedError(ScoringFailure.NO_ANSWER, f"{what}, {len(parts):,} parts are left: {advice}")
            before = len(parts)
            await self._send_all(run, parts)

    async def _send_all(self, run: JobRun, parts: Sequence[Part]) -> None:
        """Send parts as long as few have no answer. Return early if no answer arrives for too long."""
        self._open.clear()
        reader = self.source.read(run.request, parts, run.attempt)
        while (item := await asyncio.to_thread(next, reader, None)) is not None:
            part, rows = item
            value = await asyncio.to_thread(_encoded, part, rows)
            if not await self._until_open(_WINDOW - 1):
                return
            await run.check()
            self._open.add(part.number)
            await self.send(value, f"{run.request.job}/{part.number}")
        await self._until_open(0)

    async def _until_open(self, most: int) -> bool:
        """Wait until at most `most` parts have no answer. Return False if no answer arrives for too long."""
        while True:
            if self._error is not None:
                raise self._error
            if len(self._open) <= most:
                return True
            self._changed.clear()
            try:
                async with asyncio.timeout(self.silence):
                    await self._changed.wait()
            except TimeoutError:
                log.warning("scoring job %s: no answer for %g s", self._job, self.silence)
                return False


def unexpected(error: Exception) -> ScoringFailedError:
    """Return the failure of a job that a bug of the program caused."""
    what = f"unexpected error {type(error).__name__}: {object_store.reason(error)[:_MAX_TEXT]}"
    advice = "the log of ingestion has the details; the same command again resumes the job"
    return ScoringFailedError(ScoringFailure.INTERNAL_ERROR, f"{what}. {advice}")


async def _while_held(run: JobRun, work: Coroutine[Any, Any, DataVersion]) -> DataVersion:
    """Check a run periodically during `work`.

    Raises:
        UnavailableError: the run is lost. The work is cancelled, but a call on a thread runs to its end.

    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=_CHECK_SECONDS))[0]:
            await run.check()
    finally:
        task.cancel()
        await asyncio.wait({task})
    return task.result()


def _encoded(part: Part, rows: pa.RecordBatch) -> bytes:
    value = scores.encode(rows)
    texts = scores.text_bytes(rows)
    if len(value) > scores.MAX_MESSAGE_BYTES - 1024 or rows.nbytes > scores.MAX_BYTES or texts > scores.MAX_TEXT_BYTES:
        longest = max(rows.schema.names, key=lambda name: _size(rows.select([name]))).removeprefix(scores.column_of(""))
        size = max(len(value), rows.nbytes, texts)
        what = f"{part.rows:,} rows from row {part.first_row:,} on have {size:,} bytes"
        message = f"{what}, more than a message may have: shorten the values of {longest}, which has most of them"
        raise ScoringFailedError(ScoringFailure.PART_TOO_LARGE, message)
    return value


def _size(rows: pa.RecordBatch) -> int:
    buffers: int = rows.nbytes
    return max(buffers, scores.text_bytes(rows))
