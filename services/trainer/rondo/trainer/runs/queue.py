"""The runs in PostgreSQL, as a worker sees them: claimed under a lease, and ended by `postgres_end.py`.

NOTIFY goes to every session of the database, so the channel is woken for other services' schemas, too, where
they share a name; a needless look at the table is all that costs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from rondo.chassis.errors import UnavailableError
from rondo.chassis.postgres.pool import lost
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.runs.end import MINE, end, gave_up
from rondo.trainer.runs.run import Run, Serving
from rondo.trainer.triggers.postgres import RUNS_CHANNEL

if TYPE_CHECKING:
    from datetime import timedelta

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted

_CLAIM = """
update runs set state = 'running', worker = $1, attempts = attempts + 1, lease_until = clock_timestamp() + $2,
    started_at = coalesce(started_at, clock_timestamp())
where id = (
    select id from runs
    where (state = 'queued' and not_before <= clock_timestamp())
        or (state = 'running' and lease_until < clock_timestamp())
    order by created_at for update skip locked limit 1
)
returning id, trigger, spec, attempts, worker, started_at, traceparent
"""

_HAND_BACK = f"""
update runs set state = 'queued', lease_until = null, not_before = clock_timestamp() + $4, attempts = attempts - $5
where {MINE}
"""  # noqa: S608 - our own text

_UNDECIDED = """
select extract(epoch from finished_at + $2 - clock_timestamp()) from runs
where model = $1 and state = 'trained'
    and not exists (select from champions where champions.model = $1 and changed_at > finished_at)
order by finished_at desc limit 1
"""


class PostgresRuns:
    """`worker.ports.Runs` for the worker called `worker`, whose claims hold for `lease` unless renewed."""

    def __init__(self, database: Database, worker: str, lease: timedelta) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease
        self._recorded = asyncio.Event()
        self._listener: asyncpg.pool.PoolConnectionProxy[Any] | None = None

    async def claim(self, attempts: int) -> Run | None:
        """Take the oldest run that nobody holds; one that was begun `attempts` times already ends as failed."""
        while run := await self._take():
            if run.attempt <= attempts:
                return run
            # In a transaction of its own: an end waits for the model's turn before it touches the run.
            await self.finish(run, gave_up(run, attempts))
        return None

    async def _take(self) -> Run | None:
        async with self._database.transaction() as work:
            row = await work.connection.fetchrow(_CLAIM, self._worker, self._lease)
        return None if row is None else _run(row)

    async def wait(self, seconds: float) -> None:
        """Return when a run was recorded, or after a while."""
        try:
            async with asyncio.timeout(seconds):
                await self._recorded.wait()
        except TimeoutError:
            return
        self._recorded.clear()

    async def listen(self) -> None:
        """Be told of runs from now on; to be called before the first claim, so that none falls in between.

        Raises:
            UnavailableError: PostgreSQL is away.

        """
        if self._listener is not None and not lost(self._listener):
            return
        try:
            if self._listener is not None:
                await self._database.pool.release(self._listener)
            self._listener = await self._database.pool.acquire(timeout=10)
            await self._listener.add_listener(RUNS_CHANNEL, lambda *_: self._recorded.set())
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
            TimeoutError,
        ) as error:
            raise UnavailableError("PostgreSQL", f"{type(error).__name__}: {error}") from error

    async def renew(self, run: Run) -> bool:
        """Extend the lease; False when the run is no longer ours."""
        async with self._database.transaction() as work:
            status = await work.connection.execute(
                f"update runs set lease_until = clock_timestamp() + $4 where {MINE}",  # noqa: S608 - our own text
                run.id, run.worker, run.attempt, self._lease,
            )  # fmt: skip
        return bool(status == "UPDATE 1")

    async def serving(self, model: str) -> Serving | None:
        """Return who serves now."""
        async with self._database.transaction() as work:
            row = await work.connection.fetchrow(
                "select model_version, digest from champions where model = $1 and model_version is not null", model
            )
        return None if row is None else Serving(row["model_version"], row["digest"])

    async def verdict(self, model: str, patience: timedelta) -> None:
        """Wait until the deployment has changed since the last candidate, or that candidate is `patience` old."""
        while (left := await self._undecided(model, patience)) > 0:
            await self.wait(left)

    async def _undecided(self, model: str, patience: timedelta) -> float:
        """Return for how many seconds more the model's last candidate may still be promoted."""
        async with self._database.transaction() as work:
            left = await work.connection.fetchval(_UNDECIDED, model, patience)
        return 0.0 if left is None else float(left)

    async def begin(self, run: Run, started: TrainingStarted) -> None:
        """Publish that the run began; with one id for all attempts, so that subscribers take it once."""
        async with self._database.transaction() as work:
            await work.publish(started, f"{run.id}.started")

    async def finish(self, run: Run, result: ModelTrained | TrainingFailed | TrainingSkipped) -> bool:
        """Save the end of a run and publish it, as one; False when the run is no longer ours."""
        async with self._database.transaction() as work:
            return await end(work, run, result)

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        """Let the run be claimed again after a pause."""
        await self._hand_back(run, pause, 0)

    async def postpone(self, run: Run, pause: timedelta) -> None:
        """Let the run be claimed again after a pause, as if it had not been begun."""
        await self._hand_back(run, pause, 1)

    async def _hand_back(self, run: Run, pause: timedelta, forgotten: int) -> None:
        async with self._database.transaction() as work:
            await work.connection.execute(_HAND_BACK, run.id, run.worker, run.attempt, pause, forgotten)


async def release(database: Database, worker: str) -> None:
    """Let what a worker held be claimed at once: for who saw it die. Its attempts stay counted."""
    async with database.transaction() as work:
        status = await work.connection.execute(
            "update runs set lease_until = clock_timestamp() where worker = $1 and state = 'running'", worker
        )
        if status != "UPDATE 0":
            await work.connection.execute(f"notify {RUNS_CHANNEL}")


def _run(row: asyncpg.Record) -> Run:
    return Run(
        id=row["id"],
        trigger=Trigger.model_validate(row["trigger"]),
        spec=ModelSpec.from_json(row["spec"]),
        attempt=row["attempts"],
        worker=row["worker"],
        started_at=row["started_at"],
        traceparent=row["traceparent"],
    )
