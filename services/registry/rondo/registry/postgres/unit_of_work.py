"""The registry's unit of work on PostgreSQL: one writer per model, one transaction per decision."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.audit.hash_chain import GENESIS, Statement
from rondo.registry.postgres import audit, decisions, models, replica_reports, rows, runs, schedules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.registry.audit.hash_chain import Head
    from rondo.registry.model.model import Candidate, Cause, Decision, Model
    from rondo.registry.model.runs import Run
    from rondo.registry.ports import Work
    from rondo.registry.rollout.replica_reports import Words

log = logging.getLogger(__name__)
# The first key of the advisory locks of models; the second is the hash of the name. A collision only waits.
_MODEL_LOCKS = 1_919_247_220


class PostgresStore:
    """Opens units of work on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """Open a unit of work for a person or a schedule."""
        async with _told(self._database.transaction()) as work:
            yield work

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[Work]:
        """Open the unit of work of an event, with its inbox row."""
        async with _told(self._database.handling(envelope)) as work:
            yield work


@asynccontextmanager
async def _told(transaction: AbstractAsyncContextManager[Transaction]) -> AsyncIterator[PostgresWork]:
    """Open a unit of work; once it is committed, the new heads of the audit chains go where the database is not."""
    async with transaction as opened:
        work = PostgresWork(opened)
        yield work
    for head in work.heads:
        log.info(
            "the audit log of %s has %d records, the last one with the hash %s", head.model, head.length, head.hash,
            extra={"model": head.model, "audit_length": head.length, "audit_head": head.hash},
        )  # fmt: skip


class PostgresWork:
    """A unit of work inside an open transaction. `heads` are those that the audit chains have got in it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._sql = transaction.connection
        self.heads: list[Head] = []

    async def find(self, model: str) -> Model | None:
        """Load a model, alone with it until the transaction ends; the lock holds for one that is not there yet, too."""
        await self._sql.execute("select pg_advisory_xact_lock($1::int, hashtext($2))", _MODEL_LOCKS, model)
        return await models.load_model(self._sql, model)

    async def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        return await models.load_names(self._sql)

    async def spec(self, model: str, digest: str) -> ModelSpec | None:
        """Return a spec that was in force once."""
        text = await self._sql.fetchval(
            "select spec from specs where model = $1 and digest = $2 limit 1", model, digest
        )
        return ModelSpec.from_json(text) if text else None

    async def candidate(self, model: str, version: int) -> Candidate:
        """Return what is known of a version."""
        sql = "select trained, gates from versions where model = $1 and number = $2"
        return rows.candidate(await self._sql.fetchrow(sql, model, version))

    async def apply(self, spec: ModelSpec, revision: int, cause: Cause) -> None:
        """Bring a spec into force, and say so."""
        await self._sql.execute(
            "insert into models (name, spec_revision, audit_head) values ($1, $2, $3)"
            " on conflict (name) do update set spec_revision = excluded.spec_revision",
            spec.model, revision, GENESIS,
        )  # fmt: skip
        await self._sql.execute(
            "insert into specs (model, revision, digest, spec, applied_at, applied_by) values ($1, $2, $3, $4, $5, $6)",
            spec.model, revision, spec.digest, spec.canonical_json(), datetime.now(UTC), cause.decided_by,
        )  # fmt: skip
        await self.publish(SpecApplied(model=spec.model, revision=revision, digest=spec.digest, spec=spec))
        await self.state(
            spec.model,
            cause,
            Statement("spec_applied", {"revision": revision, "digest": spec.digest, "reason": cause.reason}),
        )

    async def save(self, decision: Decision) -> None:
        """Save a decision: its versions, its deployment, its statements, its events."""
        await decisions.save(self._sql, decision)
        for statement in decision.statements:
            await self.state(decision.after.name, decision.cause, statement)
        for event in decision.events:
            await self.publish(event)

    async def state(self, model: str, cause: Cause, statement: Statement) -> None:
        """Append a statement to the audit chain."""
        self.heads.append(await audit.append(self._sql, model, cause, statement))

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version."""
        return await replica_reports.load(self._sql, model)

    async def keep_words(self, model: str, words: Words) -> None:
        """Save the last words in place of those before."""
        await replica_reports.save(self._sql, model, words)

    async def record(self, run: Run) -> None:
        """Save what is known of a run."""
        await runs.record(self._sql, run)

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        """Write an event to the outbox."""
        return await self._transaction.publish(event, event_id)

    async def schedule_base(self, model: str, expression: str) -> datetime:
        """Return the time up to which a schedule is settled."""
        return await schedules.load_base(self._sql, model, expression)

    async def settle_schedule(self, model: str, expression: str, due: datetime) -> None:
        """Remember a due time that was acted on."""
        await schedules.settle(self._sql, model, expression, due)
