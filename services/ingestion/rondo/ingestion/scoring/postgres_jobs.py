"""Scoring jobs and their parts in PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from rondo.chassis.errors import UnavailableError
from rondo.chassis.postgres.transaction import Transaction
from rondo.contracts.events.data import DataVersion
from rondo.contracts.events.scoring import ScoringRequested
from rondo.contracts.vocabularies import ScoringState
from rondo.ingestion.scoring.delta_scores import WrittenPart
from rondo.ingestion.scoring.jobs import OpenPart, ScoringJob
from rondo.ingestion.scoring.plan import Part, Speed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    import asyncpg

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.scoring import ScoringEnded

# The speed is that of the last minute.
_JOBS = """
select request, state, rows, started_at, ended_at, scores, code, reason, done.* from scoring_jobs,
lateral (
    select coalesce(sum(rows), 0) as scored, coalesce(sum(refused), 0) as refused,
    coalesce(sum(rows) filter (where done_at > now() - interval '1 minute'), 0) as lately,
    extract(epoch from least(interval '1 minute', now() - scoring_jobs.started_at)) as seconds
    from scoring_parts where scoring_parts.job = scoring_jobs.job and done_at is not null
) as done
"""
_REQUEST = """
insert into scoring_jobs (job, request, state) values ($1, $2, $3) on conflict (job) do update
set request = excluded.request, state = excluded.state, requested_at = now(), ended_at = null, scores = null,
code = '', reason = ''
"""
_END = """
update scoring_jobs set state = $2, ended_at = $3, scores = $4, code = $5, reason = $6
where job = $1 and state = 'running'
"""
_ANSWER_SECONDS = 10.0
# An interrupted job continues first, unless its data is unavailable. Another job may then come first.
_NEXT = """
select job, request, requested_at from scoring_jobs where state in ('queued', 'running')
order by job = $1, state = 'queued', requested_at limit 1
"""
_PLAN = """
insert into scoring_parts (job, number, file, row_group, skipped, rows, first_row) values ($1, $2, $3, $4, $5, $6, $7)
"""
_PART = "number, file, row_group, skipped, rows, first_row"
_OPEN = f"""
select request, requested_at, {", ".join(f"scoring_parts.{name}" for name in _PART.split(", "))}
from scoring_jobs join scoring_parts using (job) where job = $1 and number = $2 and done_at is null
"""  # noqa: S608
_WRITTEN = """
select number, rows, refused, size, digest from scoring_parts where job = $1 and done_at is not null order by number
"""
_POSITION = """
insert into scores_read (partition, next_offset) values ($1, $2)
on conflict (partition) do update set next_offset = excluded.next_offset
"""


@dataclass(frozen=True)
class PostgresScoringJobs:
    """Implements `store.ScoringJobs`."""

    database: Database

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[PostgresJobRequests]:
        """Open the unit of work of an event, as `Database.handling`."""
        async with self.database.handling(envelope) as work:
            yield PostgresJobRequests(work)

    @asynccontextmanager
    async def next(self, last: str = "") -> AsyncIterator[PostgresJobRun | None]:
        async with self.database.transaction() as work:
            waiting = await work.connection.fetchrow(_NEXT, last) is not None
        if not waiting:
            yield None
            return
        # A job takes longer than a transaction should, so the lock is that of a session.
        async with self.database.session_lock("ingestion.scoring") as session:
            begun = None if session is None else await self._begin(last)
            yield (None if session is None or begun is None else PostgresJobRun(*begun, session, self.database.service))

    async def _begin(self, last: str) -> tuple[ScoringRequested, str] | None:
        async with self.database.transaction() as work:
            row = await work.connection.fetchrow(_NEXT, last)
            if row is None:
                return None
            await work.connection.execute(
                "update scoring_jobs set state = $2, started_at = now() where job = $1",
                row["job"],
                ScoringState.RUNNING,
            )
            return ScoringRequested.model_validate(row["request"]), _attempt(row["requested_at"])

    async def job(self, job: str) -> ScoringJob | None:
        found = await self._jobs("where job = $1", job)
        return found[0] if found else None

    async def latest(self, limit: int) -> list[ScoringJob]:
        return await self._jobs("order by requested_at desc limit $1", limit)

    async def _jobs(self, which: str, *arguments: Any) -> list[ScoringJob]:
        async with self.database.transaction() as work:
            return [_job(row) for row in await work.connection.fetch(_JOBS + which, *arguments)]

    async def planned(self, job: str) -> bool:
        async with self.database.transaction() as work:
            query = "select rows is not null from scoring_jobs where job = $1"
            return bool(await work.connection.fetchval(query, job))

    async def save_plan(self, job: str, parts: Sequence[Part]) -> None:
        rows = [(job, p.number, p.file, p.row_group, p.skipped, p.rows, p.first_row) for p in parts]
        total = sum(part.rows for part in parts)
        async with self.database.transaction() as work:
            query = "update scoring_jobs set rows = $2 where job = $1 and rows is null"
            if await work.connection.execute(query, job, total) == "UPDATE 1":
                await work.connection.executemany(_PLAN, rows)

    async def remaining(self, job: str) -> list[Part]:
        query = f"select {_PART} from scoring_parts where job = $1 and done_at is null order by number"  # noqa: S608
        async with self.database.transaction() as work:
            return [Part(**dict(row)) for row in await work.connection.fetch(query, job)]

    async def waits_for(self, job: str, part: int) -> OpenPart | None:
        async with self.database.transaction() as work:
            row = await work.connection.fetchrow(_OPEN, job, part)
        if row is None:
            return None
        found = dict(row)
        request = ScoringRequested.model_validate(found.pop("request"))
        attempt = _attempt(found.pop("requested_at"))
        return OpenPart(request, Part(**found), attempt)

    async def save_written(self, job: str, part: WrittenPart) -> None:
        query = (
            "update scoring_parts set refused = $3, size = $4, digest = $5, done_at = now() "
            "where job = $1 and number = $2 and done_at is null"
        )
        async with self.database.transaction() as work:
            await work.connection.execute(query, job, part.number, part.refused, part.size, part.digest)

    async def written(self, job: str) -> list[WrittenPart]:
        async with self.database.transaction() as work:
            return [WrittenPart(**dict(row)) for row in await work.connection.fetch(_WRITTEN, job)]

    async def reopen(self, job: str, parts: Sequence[int]) -> None:
        query = "update scoring_parts set done_at = null where job = $1 and number = any($2)"
        async with self.database.transaction() as work:
            await work.connection.execute(query, job, parts)

    async def positions(self) -> Mapping[int, int]:
        async with self.database.transaction() as work:
            rows = await work.connection.fetch("select partition, next_offset from scores_read")
        return {row["partition"]: row["next_offset"] for row in rows}

    async def save_positions(self, positions: Mapping[int, int]) -> None:
        async with self.database.transaction() as work:
            await work.connection.executemany(_POSITION, list(positions.items()))


@dataclass(frozen=True)
class PostgresJobRun:
    """Implements `store.JobRun`. `session` holds the lock, so exclusive statements of the run use this session.

    A check may be called while another one waits for its answer. The session executes them one by one.
    """

    request: ScoringRequested
    attempt: str
    session: asyncpg.pool.PoolConnectionProxy[Any]
    service: str
    _used: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self) -> None:
        try:
            async with self._used:
                await self.session.execute("select 1", timeout=_ANSWER_SECONDS)
        except TimeoutError as error:
            raise UnavailableError("PostgreSQL", f"no answer within {_ANSWER_SECONDS:g} s") from error

    async def end(self, event: ScoringEnded, *, forget_parts: bool = False) -> None:
        scores = event.scores.model_dump(mode="json") if event.scores else None
        async with self._used, self.session.transaction():
            values = (event.job, event.state, event.at, scores, event.code, event.reason)
            if await self.session.execute(_END, *values) == "UPDATE 1":
                # A failed job that continues ends a second time, so the id of its event has the time.
                name = f"rondo:scoring:{event.job}/{event.at.isoformat()}"
                work = Transaction(self.session, self.service)
                await work.publish(event, str(uuid5(NAMESPACE_URL, name)))
                if forget_parts:
                    await PostgresJobRequests(work).forget_parts(event.job)


@dataclass(frozen=True)
class PostgresJobRequests:
    """Implements `store.JobRequests` in an open transaction."""

    work: Transaction

    async def state(self, job: str) -> str | None:
        query = "select state from scoring_jobs where job = $1 for update"
        found: str | None = await self.work.connection.fetchval(query, job)
        return found

    async def queue(self, request: ScoringRequested) -> None:
        content = request.model_dump(mode="json", by_alias=True)
        await self.work.connection.execute(_REQUEST, request.job, content, ScoringState.QUEUED)

    async def forget_parts(self, job: str) -> None:
        await self.work.connection.execute("update scoring_jobs set rows = null where job = $1", job)
        await self.work.connection.execute("delete from scoring_parts where job = $1", job)


def _attempt(requested_at: datetime) -> str:
    return requested_at.isoformat()


def _job(row: Mapping[str, Any]) -> ScoringJob:
    return ScoringJob(
        request=ScoringRequested.model_validate(row["request"]),
        state=row["state"],
        rows=row["rows"],
        scored=int(row["scored"]),
        refused=int(row["refused"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        scores=DataVersion.model_validate(row["scores"]) if row["scores"] else None,
        code=row["code"],
        reason=row["reason"],
        speed=Speed(int(row["lately"]), float(row["seconds"] or 0)),
    )
