"""The read model. Reads see one snapshot and do not wait for writers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rondo.contracts.spec.model import ModelSpec
from rondo.registry.audit.hash_chain import ROLLOUT_ACTIONS, TOKENS_CHAIN, ChainHead
from rondo.registry.errors import UnknownDatasetError, UnknownModelError, UnknownVersionError
from rondo.registry.model.dataset import DATASET_CHAINS
from rondo.registry.postgres import audit as postgres_audit
from rondo.registry.postgres import datasets as postgres_datasets
from rondo.registry.postgres import models as postgres_models
from rondo.registry.postgres import replica_reports as postgres_reports
from rondo.registry.postgres import rollouts as postgres_rollouts
from rondo.registry.postgres import rows
from rondo.registry.postgres import runs as postgres_runs
from rondo.registry.postgres import tokens as postgres_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.access import TokenChanged
    from rondo.registry.audit.hash_chain import AuditRecord
    from rondo.registry.model.dataset import Dataset
    from rondo.registry.model.deployments import Deployment
    from rondo.registry.model.model import Model, RegisteredVersion
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.model.runs import ListedRun, RunPosition
    from rondo.registry.rollout.rollback_decision import ReplicaReports

_MOST_DECISIONS = 100
_SPECS_SQL = (
    "select s.spec from models m join specs s on s.model = m.name and s.revision = m.spec_revision order by m.name"
)


class PostgresQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        async with self._database.transaction() as transaction:
            await transaction.connection.execute("set transaction isolation level repeatable read, read only")
            yield transaction.connection

    async def models(self) -> Sequence[Model]:
        async with self._snapshot() as sql:
            return await postgres_models.load_models(sql)

    async def model(self, name: str) -> Model:
        async with self._snapshot() as sql:
            return await postgres_models.load_model(sql, name) or await _unknown(sql, name)

    async def rollout(self, model: str) -> Rollout | None:
        async with self._snapshot() as sql:
            return await postgres_rollouts.load(sql, model)

    async def rollouts(self) -> Sequence[Rollout]:
        async with self._snapshot() as sql:
            return await postgres_rollouts.load_active(sql)

    async def rollout_decisions(self, model: str) -> Sequence[AuditRecord]:
        async with self._snapshot() as sql:
            return await postgres_audit.load_latest(sql, model, ROLLOUT_ACTIONS, _MOST_DECISIONS)

    async def models_in_rollout(self) -> Sequence[str]:
        async with self._snapshot() as sql:
            return await postgres_rollouts.load_models_in_rollout(sql)

    async def specs(self) -> Sequence[ModelSpec]:
        async with self._snapshot() as sql:
            return [ModelSpec.from_json(row["spec"]) for row in await sql.fetch(_SPECS_SQL)]

    async def datasets(self) -> Sequence[Dataset]:
        async with self._snapshot() as sql:
            return await postgres_datasets.load_declared(sql)

    async def dataset(self, name: str) -> Dataset:
        async with self._snapshot() as sql:
            found = await postgres_datasets.load(sql, name)
            if found.is_declared:
                return found
            known = tuple(each.name for each in await postgres_datasets.load_declared(sql))
        raise UnknownDatasetError(name, known)

    async def versions(self, model: str, after: int, limit: int) -> Sequence[RegisteredVersion]:
        async with self._snapshot() as sql:
            select = "select * from versions where model = $1 and number > $2 order by number limit $3"
            found = await sql.fetch(select, model, after, limit)
            return [rows.registered(row) for row in found] or await _empty(sql, model)

    async def version(self, model: str, number: int) -> RegisteredVersion:
        async with self._snapshot() as sql:
            row = await sql.fetchrow("select * from versions where model = $1 and number = $2", model, number)
            if row is None:
                last = await sql.fetchval("select last_version from models where name = $1", model)
                raise UnknownVersionError(model, number, last if last is not None else await _unknown(sql, model))
        return rows.registered(row)

    async def deployments(self, model: str) -> Sequence[Deployment]:
        async with self._snapshot() as sql:
            found = await sql.fetch("select * from deployments where model = $1 order by revision", model)
            return [rows.deployment(row) for row in found] or await _empty(sql, model)

    async def audit_chains(self) -> Sequence[str]:
        async with self._snapshot() as sql:
            return await postgres_audit.load_chains(sql)

    async def audit_records(self, chain: str, after: int, limit: int) -> tuple[Sequence[AuditRecord], ChainHead]:
        async with self._snapshot() as sql:
            head = await _head(sql, chain)
            return await postgres_audit.load_records(sql, chain, after, limit), head

    async def audit_head(self, chain: str) -> ChainHead:
        async with self._snapshot() as sql:
            return await _head(sql, chain)

    async def replica_reports(self, model: str) -> ReplicaReports:
        async with self._snapshot() as sql:
            return await postgres_reports.load(sql, model) or tuple(await _empty(sql, model))

    async def refused_deployments(self) -> Sequence[tuple[str, int]]:
        async with self._snapshot() as sql:
            return await postgres_reports.load_refused_deployments(sql)

    async def runs(self, model: str | None, before: RunPosition | None, limit: int) -> Sequence[ListedRun]:
        async with self._snapshot() as sql:
            return await postgres_runs.load_latest(sql, model, before, limit)

    async def tokens(self) -> Sequence[TokenChanged]:
        async with self._snapshot() as sql:
            return await postgres_tokens.load(sql)


async def _head(sql: PoolConnectionProxy[Any], chain: str) -> ChainHead:
    head = await postgres_audit.load_head(sql, chain)
    if head is None and chain.startswith(DATASET_CHAINS):
        known = tuple(each.name for each in await postgres_datasets.load_declared(sql))
        raise UnknownDatasetError(chain.removeprefix(DATASET_CHAINS), known)
    if head is None and chain != TOKENS_CHAIN:
        await _unknown(sql, chain)
    return head or ChainHead(chain)


async def _empty(sql: PoolConnectionProxy[Any], model: str) -> list[Any]:
    """Return an empty list, after a check that the model exists.

    Raises:
        UnknownModelError: it does not exist.

    """
    if not await sql.fetchval("select true from models where name = $1", model):
        await _unknown(sql, model)
    return []


async def _unknown(sql: PoolConnectionProxy[Any], model: str) -> NoReturn:
    raise UnknownModelError(model, await postgres_models.load_names(sql))
