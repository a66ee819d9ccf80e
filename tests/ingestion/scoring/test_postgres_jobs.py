"""Scoring jobs on a real PostgreSQL: one at a time, each part done once, a failed one repeated by the same request."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING
from unittest.mock import Mock
from uuid import uuid4

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.postgres import pool as chassis_postgres
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.data import DataVersion
from rondo.ingestion import handlers
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring.delta_scores import WrittenPart
from rondo.ingestion.scoring.jobs import OpenPart, ended
from rondo.ingestion.scoring.plan import RowGroup, divide
from rondo.ingestion.scoring.postgres_jobs import PostgresScoringJobs

from tests.ingestion.scoring.test_coordinator import requested
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.scoring import ScoringRequested
    from rondo.ingestion.scoring.store import JobRun

PARTS = divide([RowGroup("a.parquet", 0, 100, 0), RowGroup("a.parquet", 1, 30, 0)], 60)
DIGEST = "sha256:" + "b" * 64


@asynccontextmanager
async def connected(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    settings = PostgresSettings.model_validate(
        {"service": "ingestion", "kafka": "none:1", "http_port": 0, "postgres": await database("ingestion")}
    )
    async with chassis_postgres.connect(settings, files("rondo.ingestion") / "migrations") as opened:
        yield opened


async def ask(database: Database, request: ScoringRequested, committed: DataVersion | None = None) -> None:
    envelope = Envelope(str(uuid4()), "rondo/registry", datetime.now(UTC), request)
    async with PostgresScoringJobs(database).handling(envelope) as work:
        tables = Mock(committed=Mock(return_value=committed))
        await handlers.event_handlers(tables)[type(request)](envelope, work)


def requested_by(run: JobRun | None) -> ScoringRequested | None:
    return run.request if run else None


@asynccontextmanager
async def running_job(jobs: PostgresScoringJobs, last: str = "") -> AsyncIterator[JobRun]:
    """Run the next job. The server releases the lock of the previous run shortly after its connection was closed."""
    async with AsyncExitStack() as stack:

        async def begun() -> JobRun | None:
            async with AsyncExitStack() as tried:
                if (run := await tried.enter_async_context(jobs.next(last))) is not None:
                    stack.push_async_exit(tried.pop_all())
                return run

        yield await until(begun)


async def lose_and(then: Callable[[JobRun], Awaitable[None]], jobs: PostgresScoringJobs) -> None:
    """Start a job, end the session that has the lock, and continue."""
    async with running_job(jobs) as run:
        await run.check()
        async with jobs.database.transaction() as work:
            [held] = await work.connection.fetch("select pid from pg_locks where locktype = 'advisory'")
            await work.connection.execute("select pg_terminate_backend($1)", held["pid"])
        await then(run)


async def outbox(database: Database) -> list[str]:
    async with database.transaction() as work:
        return [row["topic"] for row in await work.connection.fetch("select topic from outbox order by id")]


async def test_a_job_is_run_by_one_process_and_each_part_is_done_once(
    database: Callable[[str], Awaitable[str]],
) -> None:
    first, second = requested(0), requested(1)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, first)
        await ask(opened, second)
        async with jobs.next() as found, jobs.next() as other:
            assert (requested_by(found), other) == (first, None)
        async with running_job(jobs) as found:
            assert requested_by(found) == first, "it was interrupted, so it continues first"
        async with running_job(jobs, last=first.job) as found:
            assert requested_by(found) == second, "another one continues before the one that could not"
        async with running_job(jobs, last=second.job) as found:
            assert requested_by(found) == first
        assert not await jobs.planned(first.job)
        await jobs.save_plan(first.job, PARTS)
        await jobs.save_plan(first.job, PARTS[:1])  # of another process, that was the runner before
        assert await jobs.planned(first.job)
        assert await jobs.remaining(first.job) == PARTS
        async with running_job(jobs) as run:
            assert await jobs.waits_for(first.job, 1) == OpenPart(first, PARTS[1], run.attempt)
        await jobs.save_written(first.job, WrittenPart(1, 40, 3, 17, "d"))
        await jobs.save_written(first.job, WrittenPart(1, 40, 9, 99, "other"))
        assert await jobs.waits_for(first.job, 1) is None
        assert await jobs.waits_for(first.job, 9) is None
        assert await jobs.waits_for("unknown", 0) is None
        assert [part.number for part in await jobs.remaining(first.job)] == [0, 2]
        running = await jobs.job(first.job)
        assert running is not None
        assert (running.state, running.rows, running.scored, running.refused) == ("running", 130, 40, 3)
        assert running.speed is not None
        assert running.speed.rows == 40
        for part, rows in ((0, 60), (2, 30)):
            await jobs.save_written(first.job, WrittenPart(part, rows, 0, 5, "d"))
        assert [(part.number, part.size) for part in await jobs.written(first.job)] == [(0, 5), (1, 17), (2, 5)]
        await jobs.reopen(first.job, [2])
        assert [part.number for part in await jobs.remaining(first.job)] == [2]
        await jobs.save_written(first.job, WrittenPart(2, 30, 0, 6, "e"))
        assert [(part.number, part.size) for part in await jobs.written(first.job)] == [(0, 5), (1, 17), (2, 6)]
        scores = DataVersion(table="scores/delay/x", version=0, digest=DIGEST)
        async with running_job(jobs) as run:
            await run.end(ended(first, await jobs.job(first.job), datetime.now(UTC), scores))
            error = ScoringFailedError("no_answer", "of a process that was the runner before")
            await run.end(ended(first, await jobs.job(first.job), datetime.now(UTC), error=error))
        done = await jobs.job(first.job)
        assert done is not None
        assert (done.state, done.scored, done.scores) == ("done", 130, scores)
        async with running_job(jobs) as found:
            assert requested_by(found) == second
        assert [job.request.job for job in await jobs.latest(5)] == [second.job, first.job]
        assert await outbox(opened) == ["scoring.ended"]


async def test_the_same_request_changes_nothing_unless_the_job_failed(
    database: Callable[[str], Awaitable[str]],
) -> None:
    request = requested(0)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, request)
        async with jobs.next():
            await jobs.save_plan(request.job, PARTS)
        await ask(opened, request)
        running = await jobs.job(request.job)
        assert running is not None
        assert (running.state, running.rows) == ("running", 130)
        error = ScoringFailedError("no_answer", "no replica answered")
        await jobs.save_written(request.job, WrittenPart(0, 60, 0, 5, "d"))
        async with running_job(jobs) as run:
            await run.end(ended(request, running, datetime.now(UTC), error=error))
        failed = await jobs.job(request.job)
        assert failed is not None
        assert (failed.state, failed.code, failed.reason) == ("failed", "no_answer", "no replica answered")
        await ask(opened, request)
        again = await jobs.job(request.job)
        assert again is not None
        assert (again.state, again.code, again.scored, again.ended_at) == ("queued", "", 60, None)
        async with running_job(jobs) as second:
            assert second.attempt != run.attempt


async def test_the_same_request_makes_a_table_again_that_was_removed(
    database: Callable[[str], Awaitable[str]],
) -> None:
    request, scores = requested(0), DataVersion(table="scores/delay/x", version=0, digest=DIGEST)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, request)
        async with running_job(jobs) as run:
            await jobs.save_plan(request.job, PARTS)
            for part in PARTS:
                await jobs.save_written(request.job, WrittenPart(part.number, part.rows, 0, 5, "d"))
            await run.end(ended(request, await jobs.job(request.job), datetime.now(UTC), scores))
        await ask(opened, request, scores)
        done = await jobs.job(request.job)
        assert done is not None
        assert (done.state, done.scores, done.scored) == ("done", scores, 130)
        await ask(opened, request, None)
        again = await jobs.job(request.job)
        assert again is not None
        assert (again.state, again.scores, again.scored, again.rows) == ("queued", None, 0, None)
        assert not await jobs.planned(request.job)


async def test_a_process_whose_lock_is_lost_runs_the_job_no_more(
    database: Callable[[str], Awaitable[str]],
) -> None:
    request = requested(0)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, request)
        event = ended(request, None, datetime.now(UTC), error=ScoringFailedError("no_answer", "no replica answered"))
        await jobs.save_plan(request.job, PARTS)
        thens: list[Callable[[JobRun], Awaitable[None]]] = [
            lambda run: run.check(),
            lambda run: run.end(event),
            lambda run: run.end(event, forget_parts=True),
        ]
        for then in thens:
            with pytest.raises(UnavailableError):
                await lose_and(then, jobs)
        job = await jobs.job(request.job)
        assert job is not None
        assert job.state == "running"
        assert await outbox(opened) == []
        assert await jobs.remaining(request.job) == PARTS


@pytest.mark.slow
async def test_another_process_runs_the_job_of_one_that_hangs(
    database: Callable[[str], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chassis_postgres, "HUNG_SECONDS", 0.5)
    request = requested(0)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, request)

        async def taken() -> bool:
            async with jobs.next() as run:
                return requested_by(run) == request

        async def hangs() -> None:
            async with running_job(jobs) as run:
                for _ in range(4):
                    # It is used by the process that has it, so nobody takes it.
                    await asyncio.gather(run.check(), run.check(), asyncio.sleep(0.25))
                    assert not await taken()
                await until(taken)
                await run.check()

        with pytest.raises(UnavailableError):
            await hangs()


async def test_the_parts_of_a_plan_that_can_not_be_used_are_deleted_as_the_job_ends(
    database: Callable[[str], Awaitable[str]],
) -> None:
    request = requested(0)
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        await ask(opened, request)
        event = ended(request, None, datetime.now(UTC), error=ScoringFailedError("data_changed", "restart"))
        async with running_job(jobs) as run:
            await jobs.save_plan(request.job, PARTS)
            await jobs.save_written(request.job, WrittenPart(1, 40, 3, 17, "d"))
            assert [part.number for part in await jobs.written(request.job)] == [1]
            await run.end(event, forget_parts=True)
        assert not await jobs.planned(request.job)
        await ask(opened, request)
        async with running_job(jobs) as run:
            await jobs.save_plan(request.job, PARTS)
            await run.end(ended(request, None, datetime.now(UTC), DataVersion(table="s", version=0, digest=DIGEST)))
            await run.end(event, forget_parts=True)
        assert await jobs.remaining(request.job) == PARTS, "a job that has ended keeps its parts"


async def test_positions_of_answers_are_kept(database: Callable[[str], Awaitable[str]]) -> None:
    async with connected(database) as opened:
        jobs = PostgresScoringJobs(opened)
        async with jobs.next() as none:
            assert none is None
        assert await jobs.positions() == {}
        await jobs.save_positions({0: 5, 3: 1})
        await jobs.save_positions({0: 7})
        assert await jobs.positions() == {0: 7, 3: 1}
