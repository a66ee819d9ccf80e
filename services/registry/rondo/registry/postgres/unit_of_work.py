"""The unit of work: one writer per model, one transaction per decision."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.postgres import (
    audit,
    datasets,
    decisions,
    models,
    replica_reports,
    rollouts,
    rows,
    runs,
    schedules,
    tokens,
    uploads,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.access import TokenChanged
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.registry.audit.hash_chain import ChainHead
    from rondo.registry.model.dataset import Dataset
    from rondo.registry.model.model import Actor, Candidate, Decision, Model
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.model.runs import Run
    from rondo.registry.ports import Work
    from rondo.registry.rollout.rollback_decision import ReplicaReports

log = logging.getLogger(__name__)
# The first key of the advisory locks of models. The second is the hash of the name. A collision only causes a wait.
_MODEL_LOCKS = 1_919_247_220


class PostgresStore:
    """Implements `Store`, and opens the units of work of events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        async with _log_audit_heads(self._database.transaction()) as work:
            yield work

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[Work]:
        """Open the unit of work of an event. Its inbox row commits with it."""
        async with _log_audit_heads(self._database.handling(envelope)) as work:
            yield work


@asynccontextmanager
async def _log_audit_heads(transaction: AbstractAsyncContextManager[Transaction]) -> AsyncIterator[PostgresWork]:
    """Open a unit of work. After its commit the new heads of the audit chains are written to the log of the service."""
    async with transaction as opened:
        work = PostgresWork(opened)
        yield work
    for head in work.heads:
        log.info(
            "the audit log of %s has %d records, the last one with the hash %s", head.chain, head.length, head.hash,
            extra={"audit_chain": head.chain, "audit_length": head.length, "audit_head": head.hash},
        )  # fmt: skip


class PostgresWork:
    """Implements `Work` in an open transaction. `heads` are the new heads of audit chains."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._sql = transaction.connection
        self.heads: list[ChainHead] = []

    async def load_for_update(self, model: str) -> Model | None:
        await self._sql.execute("select pg_advisory_xact_lock($1::int, hashtext($2))", _MODEL_LOCKS, model)
        return await models.load_model(self._sql, model)

    async def names(self) -> tuple[str, ...]:
        return await models.load_names(self._sql)

    async def spec(self, model: str, digest: str) -> ModelSpec | None:
        text = await self._sql.fetchval(
            "select spec from specs where model = $1 and digest = $2 limit 1", model, digest
        )
        return ModelSpec.from_json(text) if text else None

    async def spec_revision(self, model: str) -> int:
        found: int | None = await self._sql.fetchval("select spec_revision from models where name = $1", model)
        return found or 0

    async def candidate(self, model: str, version: int) -> Candidate:
        sql = "select trained, gates from versions where model = $1 and number = $2"
        return rows.candidate(await self._sql.fetchrow(sql, model, version))

    async def apply(
        self,
        spec: ModelSpec,
        revision: int,
        actor: Actor,
        dataset_revision: int,
        sources: tuple[SourceDataset, ...] = (),
    ) -> None:
        await self._sql.execute(
            "insert into models (name, spec_revision) values ($1, $2)"
            " on conflict (name) do update set spec_revision = excluded.spec_revision",
            spec.model, revision,
        )  # fmt: skip
        await self._sql.execute(
            "insert into specs (model, revision, digest, spec, applied_at, applied_by) values ($1, $2, $3, $4, $5, $6)",
            spec.model, revision, spec.digest, spec.canonical_json(), datetime.now(UTC), actor.name,
        )  # fmt: skip
        await self.publish(
            SpecApplied(
                model=spec.model,
                revision=revision,
                digest=spec.digest,
                spec=spec,
                dataset_revision=dataset_revision,
                sources=sources,
            )
        )
        evidence = {"revision": revision, "digest": spec.digest, "reason": actor.reason}
        await self.append_audit(spec.model, actor, AuditEntry("spec_applied", evidence))

    async def load_dataset_for_update(self, name: str) -> Dataset:
        await datasets.lock(self._sql, name)
        return await datasets.load(self._sql, name)

    async def dataset_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in await datasets.load_declared(self._sql))

    async def dataset_users(self, name: str) -> tuple[ModelSpec, ...]:
        return await datasets.load_users(self._sql, name)

    async def undeclared_users(self, name: str) -> tuple[ModelSpec, ...]:
        return await datasets.load_undeclared_users(self._sql, name)

    async def save_dataset_spec(self, spec: DatasetSpec, revision: int, actor: Actor) -> None:
        await datasets.save_spec(self._sql, spec, revision, actor)

    async def save_dataset_removal(self, name: str, revision: int) -> None:
        await datasets.save_removal(self._sql, name, revision)

    async def save(self, decision: Decision) -> None:
        await decisions.save(self._sql, decision)
        for entry in decision.audit_entries:
            await self.append_audit(decision.after.name, decision.actor, entry)
        for event in decision.events:
            await self.publish(event)

    async def append_audit(self, chain: str, actor: Actor, entry: AuditEntry) -> None:
        self.heads.append(await audit.append(self._sql, chain, actor, entry))

    async def replica_reports(self, model: str) -> ReplicaReports:
        return await replica_reports.load(self._sql, model)

    async def save_replica_reports(self, model: str, reports: ReplicaReports) -> None:
        await replica_reports.save(self._sql, model, reports)

    async def rollout(self, model: str) -> Rollout | None:
        return await rollouts.load(self._sql, model)

    async def save_rollout(self, rollout: Rollout) -> None:
        await rollouts.save(self._sql, rollout)

    async def save_run(self, run: Run) -> None:
        await runs.save(self._sql, run)

    async def save_upload(self, artifact: str, trigger: str) -> None:
        await uploads.save(self._sql, artifact, trigger)

    async def release_upload(self, artifact: str, trigger: str | None) -> bool:
        return await uploads.release(self._sql, artifact, trigger)

    async def load_tokens_for_update(self) -> Sequence[TokenChanged]:
        await tokens.lock(self._sql)
        return await tokens.load(self._sql)

    async def save_token(self, token: TokenChanged) -> None:
        await tokens.save(self._sql, token)

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        return await self._transaction.publish(event, event_id)

    async def schedule_base(self, model: str, expression: str) -> datetime:
        return await schedules.load_base(self._sql, model, expression)

    async def complete_schedule(self, model: str, expression: str, due: datetime) -> None:
        await schedules.complete(self._sql, model, expression, due)
