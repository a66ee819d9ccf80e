"""The registry's unit of work on PostgreSQL: one writer per model, one transaction per decision."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.contracts.models import SpecApplied
from rondo.contracts.spec import ModelSpec
from rondo.registry import audit, rows, runs
from rondo.registry.audit import GENESIS, Statement
from rondo.registry.errors import StaleRevisionError
from rondo.registry.rows import GATES, ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from rondo.chassis.postgres import Database, Transaction
    from rondo.contracts.cloudevents import Envelope
    from rondo.contracts.event import Event
    from rondo.registry.ports import Work
    from rondo.registry.refusals import Words
    from rondo.registry.runs import Run
    from rondo.registry.versions import Candidate, Cause, Decision, Model

# The first key of the advisory locks of models; the second is the hash of the name. A collision only waits.
_MODEL_LOCKS = 1_919_247_220


class PostgresStore:
    """Opens units of work on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """Open a unit of work for a person or a schedule."""
        async with self._database.transaction() as transaction:
            yield PostgresWork(transaction)

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[Work]:
        """Open the unit of work of an event, with its inbox row."""
        async with self._database.handling(envelope) as transaction:
            yield PostgresWork(transaction)


class PostgresWork:
    """A unit of work inside an open transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._sql = transaction.connection

    async def find(self, model: str) -> Model | None:
        """Load a model, alone with it until the transaction ends; the lock holds for one that is not there yet, too."""
        await self._sql.execute("select pg_advisory_xact_lock($1::int, hashtext($2))", _MODEL_LOCKS, model)
        return await rows.load_model(self._sql, model)

    async def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        return tuple(row["name"] for row in await self._sql.fetch("select name from models order by name"))

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
        await self._move_counters(decision)
        await self._save_versions(decision)
        if decision.after.revision != decision.before.revision:
            await self._save_deployment(decision)
        for statement in decision.statements:
            await self.state(decision.after.name, decision.cause, statement)
        for event in decision.events:
            await self.publish(event)

    async def _move_counters(self, decision: Decision) -> None:
        before, after = decision.before, decision.after
        status = await self._sql.execute(
            "update models set revision = $2, last_version = $3"
            " where name = $1 and revision = $4 and last_version = $5",
            after.name, after.revision, after.last_version, before.revision, before.last_version,
        )  # fmt: skip
        if status != "UPDATE 1":
            found = await self._sql.fetchval("select revision from models where name = $1", after.name)
            raise StaleRevisionError(after.name, before.revision, found)

    async def _save_versions(self, decision: Decision) -> None:
        name, before = decision.after.name, decision.before.versions
        for number, version in decision.after.versions.items():
            if number not in before and decision.candidate:
                candidate = decision.candidate
                await self._sql.execute(
                    "insert into versions (model, number, run_id, digest, state, passed, features, gates, trained,"
                    " registered_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    name, number, version.run_id, version.digest, version.state, version.passed, version.signature,
                    GATES.dump_json(candidate.gates).decode(), candidate.trained.model_dump_json(), datetime.now(UTC),
                )  # fmt: skip
            elif before[number].state != version.state:
                sql = "update versions set state = $3 where model = $1 and number = $2"
                await self._sql.execute(sql, name, number, version.state)

    async def _save_deployment(self, decision: Decision) -> None:
        after = decision.after
        await self._sql.execute(
            "insert into deployments (model, revision, routes, decided_by, reason, at) values ($1, $2, $3, $4, $5, $6)",
            after.name, after.revision, ROUTES.dump_json(after.routes, by_alias=True).decode(),
            decision.cause.decided_by, decision.cause.reason, datetime.now(UTC),
        )  # fmt: skip

    async def state(self, model: str, cause: Cause, statement: Statement) -> None:
        """Append a statement to the audit chain."""
        head = await self._sql.fetchrow("select audit_length, audit_head from models where name = $1", model)
        record = audit.append(
            model, head["audit_length"] + 1, head["audit_head"], datetime.now(UTC), cause.decided_by, statement
        )
        await self._sql.execute(
            "insert into audit (model, number, at, action, decided_by, evidence, previous_hash, hash)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8)",
            record.model, record.number, record.at, record.action, record.decided_by, record.evidence,
            record.previous_hash, record.hash,
        )  # fmt: skip
        sql = "update models set audit_length = $2, audit_head = $3 where name = $1"
        await self._sql.execute(sql, model, record.number, record.hash)

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version."""
        return await rows.load_words(self._sql, model)

    async def keep_words(self, model: str, words: Words) -> None:
        """Save the last words in place of those before; they are a handful, and whoever saves has the model's lock."""
        await self._sql.execute("delete from replicas where model = $1", model)
        await self._sql.executemany(
            "insert into replicas (model, replica, model_version, digest, revision, state, detail, at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8)",
            [(w.model, w.replica, w.model_version, w.digest, w.revision, w.state, w.detail, w.at) for w in words],
        )

    async def record(self, run: Run) -> None:
        """Save what is known of a run."""
        known = await self._sql.fetchrow("select * from runs where run_id = $1 for update", run.run_id)
        merged = runs.merge(rows.run(known) if known else None, run)
        await self._sql.execute(
            "insert into runs (run_id, model, state, trigger, started_at, finished_at, detail)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (run_id) do update set state = excluded.state,"
            " started_at = coalesce(excluded.started_at, runs.started_at), finished_at = excluded.finished_at,"
            " detail = excluded.detail where runs.state = 'running' or runs.started_at is null",
            merged.run_id, merged.model, merged.state, merged.trigger.model_dump_json(),
            merged.started_at, merged.finished_at, merged.detail,
        )  # fmt: skip

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        """Write an event to the outbox."""
        return await self._transaction.publish(event, event_id)

    async def schedule_base(self, model: str, expression: str) -> datetime:
        """Return the time up to which a schedule is settled."""
        base: datetime = await self._sql.fetchval(
            "select greatest(s.applied_at, d.last_due) from models m"
            " join specs s on s.model = m.name and s.revision = m.spec_revision"
            " left join schedules d on d.model = m.name and d.expression = $2 where m.name = $1",
            model, expression,
        )  # fmt: skip
        return base

    async def settle_schedule(self, model: str, expression: str, due: datetime) -> None:
        """Remember a due time that was acted on."""
        await self._sql.execute(
            "insert into schedules (model, expression, last_due) values ($1, $2, $3)"
            " on conflict (model, expression) do update set last_due = excluded.last_due",
            model, expression, due,
        )  # fmt: skip
