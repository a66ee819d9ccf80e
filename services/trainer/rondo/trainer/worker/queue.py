"""The queue of runs in PostgreSQL: claims under a lease, and the end of a run with its event in one transaction.

NOTIFY reaches every session of the database, so the channel also wakes trainers of other schemas in the same database,
which costs them one query.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from rondo.chassis.errors import UnavailableError
from rondo.chassis.postgres.pool import is_broken
from rondo.contracts.events.training import ModelTrained, TrainingFailed, Trigger
from rondo.contracts.spec.dataset.source import SourceDataset
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.run import ChampionVersion, Ended, LastTraining, Run
from rondo.trainer.triggers.handle_trigger import handle_deferred_triggers
from rondo.trainer.triggers.postgres import RUNS_CHANNEL, PostgresUnitOfWork
from rondo.trainer.worker import postgres_trainings, trial_rows

if TYPE_CHECKING:
    from datetime import timedelta

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.training import TrainingProgressed, TrainingStarted
    from rondo.trainer.run import Proposal, QueueState, RecordedTrials, Result, Training, Trial

# A claim of a run. Another worker has another claim, and so has another attempt of the same worker.
_CLAIMED = "id = $1 and worker = $2 and attempts = $3 and state = 'running'"

# Only one claim at a time in all trainers of this database: two concurrent claims could take two runs of one model.
_LOCK_CLAIMS = "select pg_advisory_xact_lock(hashtext('trainer.claim'))"

_CLAIM = """
update runs set state = 'running', worker = $1, attempts = attempts + 1, lease_until = clock_timestamp() + $2,
    started_at = coalesce(started_at, clock_timestamp()),
    labelled = coalesce((select counted from labels where labels.model = runs.model), 0)
where id = (
    select id from runs as next
    where (state = 'running' and lease_until < clock_timestamp())
        or (state = 'queued' and not_before <= clock_timestamp()
            and not exists (select from runs where model = next.model and state = 'running'))
    order by created_at for update skip locked limit 1
)
returning id, trigger, spec, attempts, worker, started_at, traceparent, sources
"""

_RENEW = f"update runs set lease_until = clock_timestamp() + $4 where {_CLAIMED}"  # noqa: S608 - our own text

_FINISH = f"""
update runs set state = $4, detail = $5, digest = $6, lease_until = null, finished_at = clock_timestamp()
where {_CLAIMED}
"""  # noqa: S608 - our own text

_HAND_BACK = f"""
update runs set state = 'queued', lease_until = null, not_before = clock_timestamp() + $4, attempts = attempts - $5
where {_CLAIMED}
"""  # noqa: S608 - our own text

_BEGIN = f"update runs set training_set_digest = $4, function_digest = $5 where {_CLAIMED}"  # noqa: S608 - our own text

_LAST_TRAINING = """
select id, spec_digest, training_set_digest, function_digest from runs where model = $1 and state = 'trained'
and trigger ->> 'kind' <> 'registration'
and spec_revision >= coalesce((select removed_revision from specs where model = $1), 0)
order by finished_at desc limit 1
"""

_SECONDS_LEFT = """
select extract(epoch from finished_at + $2 - clock_timestamp()) from runs
where model = $1 and state = 'trained'
    and not exists (select from champions where champions.model = $1 and changed_at > finished_at)
order by finished_at desc limit 1
"""


class PostgresRunQueue:
    """`ports.RunQueue` for the worker named `worker`. Its claims expire after `lease` unless they are renewed."""

    def __init__(self, database: Database, worker: str, lease: timedelta) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease
        self._recorded = asyncio.Event()
        self._listener: asyncpg.pool.PoolConnectionProxy[Any] | None = None

    async def listen(self) -> None:
        if self._listener is not None and not is_broken(self._listener):
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

    async def wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._recorded.wait()
        except TimeoutError:
            return
        self._recorded.clear()

    async def claim(self, max_attempts: int) -> Run | None:
        while run := await self._claim_next():
            if run.attempt <= max_attempts:
                return run
            # This is a separate transaction: the end of a run takes the model's lock before it touches the row.
            await self.finish(run, Ended(worker_died(run, max_attempts)))
        return None

    async def _claim_next(self) -> Run | None:
        async with self._database.transaction() as work:
            await work.connection.execute(_LOCK_CLAIMS)
            row = await work.connection.fetchrow(_CLAIM, self._worker, self._lease)
        return None if row is None else _run(row)

    async def renew(self, run: Run) -> bool:
        async with self._database.transaction() as work:
            status = await work.connection.execute(_RENEW, run.id, run.worker, run.attempt, self._lease)
        return bool(status == "UPDATE 1")

    async def champion(self, model: str) -> ChampionVersion | None:
        async with self._database.transaction() as work:
            row = await work.connection.fetchrow(
                "select model_version, digest from champions where model = $1 and model_version is not null", model
            )
        return None if row is None else ChampionVersion(row["model_version"], row["digest"])

    async def last_champions(self, model: str, count: int) -> tuple[ChampionVersion, ...]:
        async with self._database.transaction() as work:
            rows = await work.connection.fetch(
                """select model_version, digest from past_champions where model = $1 and not exists (
                    select from rolled_back where rolled_back.model = past_champions.model
                    and rolled_back.model_version = past_champions.model_version
                    and rolled_back_at >= coalesce(deployed_at, '-infinity')
                ) order by revision desc limit $2""",
                model, count,
            )  # fmt: skip
        return tuple(ChampionVersion(row["model_version"], row["digest"]) for row in rows)

    async def wait_for_promotion(self, model: str, within: timedelta) -> None:
        while (left := await self._seconds_left(model, within)) > 0:
            await self.wait(left)

    async def _seconds_left(self, model: str, within: timedelta) -> float:
        """Return the number of seconds in which the model's last candidate may still be promoted."""
        async with self._database.transaction() as work:
            left = await work.connection.fetchval(_SECONDS_LEFT, model, within)
        return 0.0 if left is None else float(left)

    async def last_training(self, model: str) -> LastTraining | None:
        async with self._database.transaction() as work:
            row = await work.connection.fetchrow(_LAST_TRAINING, model)
        if row is None:
            return None
        return LastTraining(row["id"], row["spec_digest"], row["training_set_digest"], row["function_digest"])

    async def training(self, model: str) -> Training | None:
        async with self._database.transaction() as work:
            return await postgres_trainings.load(work.connection, model)

    async def begin(
        self, run: Run, started: TrainingStarted, training_set_digest: str, function_digest: str | None
    ) -> None:
        async with self._database.transaction() as work:
            await work.connection.execute(_BEGIN, run.id, run.worker, run.attempt, training_set_digest, function_digest)
            await work.publish(started, f"{run.id}.started")

    async def trials(self, run: Run, training_set_digest: str) -> RecordedTrials:
        async with self._database.transaction() as work:
            return await trial_rows.load(work.connection, run, training_set_digest)

    async def begin_trial(self, run: Run, training_set_digest: str, proposal: Proposal) -> bool:
        async with self._database.transaction() as work:
            return await trial_rows.begin(work.connection, run, training_set_digest, proposal)

    async def end_trial(self, run: Run, trial: Trial, progressed: TrainingProgressed) -> bool:
        async with self._database.transaction() as work:
            held = await trial_rows.end(work.connection, run, trial)
            if held:
                await work.publish(progressed, f"{run.id}.trial.{trial.number}")
        return held

    async def finish(self, run: Run, ended: Ended) -> bool:
        async with self._database.transaction() as work:
            return await finish(work, run, ended)

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        await self._hand_back(run, pause, 0)

    async def postpone(self, run: Run, pause: timedelta) -> None:
        await self._hand_back(run, pause, 1)

    async def _hand_back(self, run: Run, pause: timedelta, uncounted_attempts: int) -> None:
        async with self._database.transaction() as work:
            await work.connection.execute(_HAND_BACK, run.id, run.worker, run.attempt, pause, uncounted_attempts)


async def finish(work: Transaction, run: Run, ended: Ended) -> bool:
    """Save and publish the end of a run and handle the deferred triggers. Return False if the claim is lost."""
    result = ended.result
    triggers = PostgresUnitOfWork(work)
    # The lock comes first: a handler that saw the run in flight may defer a trigger, which must be visible here.
    await triggers.lock_model(run.model)
    state, detail = _outcome(result)
    digest = result.digest if isinstance(result, ModelTrained) else None
    status = await work.connection.execute(_FINISH, run.id, run.worker, run.attempt, state, detail, digest)
    if status != "UPDATE 1":
        return False
    await postgres_trainings.save(work.connection, run, ended)
    await work.publish(result, f"{run.id}.{state}")
    await handle_deferred_triggers(run.model, triggers)
    return True


async def release(database: Database, worker: str) -> None:
    """End the leases of a dead worker, so that its runs can be claimed at once. Their attempts still count."""
    async with database.transaction() as work:
        status = await work.connection.execute(
            "update runs set lease_until = clock_timestamp() where worker = $1 and state = 'running'", worker
        )
        if status != "UPDATE 0":
            await work.connection.execute(f"notify {RUNS_CHANNEL}")


def worker_died(run: Run, attempts: int) -> TrainingFailed:
    """Return the end of a run that was claimed `attempts` times and never finished."""
    reason = (
        f"the worker died {attempts} times during this run, most likely for lack of memory: shorten `trainer.window`,"
        " or give the trainer more memory"
    )
    return TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason=reason, attempts=attempts)


def _outcome(result: Result) -> tuple[QueueState, str | None]:
    if isinstance(result, ModelTrained):
        return "trained", None
    if isinstance(result, TrainingFailed):
        return "failed", result.reason
    return "skipped", result.detail


def _run(row: asyncpg.Record) -> Run:
    return Run(
        id=row["id"],
        trigger=Trigger.model_validate(row["trigger"]),
        spec=ModelSpec.from_json(row["spec"]),
        attempt=row["attempts"],
        worker=row["worker"],
        started_at=row["started_at"],
        traceparent=row["traceparent"],
        sources=tuple(map(SourceDataset.model_validate, row["sources"])),
    )
