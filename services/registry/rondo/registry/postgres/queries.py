"""What people ask the registry about, from PostgreSQL. Reads see one state, and wait for no writer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rondo.contracts.spec.model import ModelSpec
from rondo.registry.errors import UnknownModelError, UnknownVersionError
from rondo.registry.postgres import audit as postgres_audit
from rondo.registry.postgres import models as postgres_models
from rondo.registry.postgres import replica_reports, rows
from rondo.registry.postgres import runs as postgres_runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.chassis.postgres.pool import Database
    from rondo.registry.audit.hash_chain import Head, Record
    from rondo.registry.model.deployments import Deployment
    from rondo.registry.model.model import Model, Registered
    from rondo.registry.model.runs import Run
    from rondo.registry.rollout.replica_reports import Words

_SPECS_SQL = (
    "select s.spec from models m join specs s on s.model = m.name and s.revision = m.spec_revision order by m.name"
)


class PostgresArchive:
    """Reads the registry's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        async with self._database.transaction() as transaction:
            await transaction.connection.execute("set transaction isolation level repeatable read, read only")
            yield transaction.connection

    async def models(self) -> Sequence[Model]:
        """Return all models, by name."""
        async with self._snapshot() as sql:
            return await postgres_models.load_models(sql)

    async def model(self, name: str) -> Model:
        """Return a model, or raise UnknownModelError."""
        async with self._snapshot() as sql:
            return await postgres_models.load_model(sql, name) or await _unknown(sql, name)

    async def specs(self) -> Sequence[ModelSpec]:
        """Return the spec in force of each model, by name."""
        async with self._snapshot() as sql:
            return [ModelSpec.from_json(row["spec"]) for row in await sql.fetch(_SPECS_SQL)]

    async def versions(self, model: str) -> Sequence[Registered]:
        """Return all that is known of each version, oldest first."""
        async with self._snapshot() as sql:
            found = await sql.fetch("select * from versions where model = $1 order by number", model)
            return [rows.registered(row) for row in found] or await _nothing(sql, model)

    async def version(self, model: str, number: int) -> Registered:
        """Return all that is known of one version, or raise UnknownModelError or UnknownVersionError."""
        async with self._snapshot() as sql:
            row = await sql.fetchrow("select * from versions where model = $1 and number = $2", model, number)
            if row is None:
                last = await sql.fetchval("select last_version from models where name = $1", model)
                raise UnknownVersionError(model, number, last if last is not None else await _unknown(sql, model))
        return rows.registered(row)

    async def deployments(self, model: str) -> Sequence[Deployment]:
        """Return every deployment, oldest first."""
        async with self._snapshot() as sql:
            found = await sql.fetch("select * from deployments where model = $1 order by revision", model)
            return [rows.deployment(row) for row in found] or await _nothing(sql, model)

    async def audit(self, model: str) -> tuple[Sequence[Record], Head]:
        """Return the audit records, oldest first, and the chain's head."""
        async with self._snapshot() as sql:
            head = await postgres_audit.load_head(sql, model) or await _unknown(sql, model)
            return await postgres_audit.load_records(sql, model), head

    async def audit_head(self, model: str) -> Head:
        """Return where the audit log ends."""
        async with self._snapshot() as sql:
            return await postgres_audit.load_head(sql, model) or await _unknown(sql, model)

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version."""
        async with self._snapshot() as sql:
            return await replica_reports.load(sql, model) or tuple(await _nothing(sql, model))

    async def unsettled(self) -> Sequence[tuple[str, int]]:
        """Return model and revision of the deployments that some replica refuses, and that none serves."""
        async with self._snapshot() as sql:
            return await replica_reports.load_unsettled(sql)

    async def runs(self, model: str | None, limit: int) -> Sequence[Run]:
        """Return the latest runs, newest first."""
        async with self._snapshot() as sql:
            return await postgres_runs.load_latest(sql, model, limit)


async def _nothing(sql: PoolConnectionProxy[Any], model: str) -> list[Any]:
    """Return nothing, of a model that there is."""
    if not await sql.fetchval("select true from models where name = $1", model):
        await _unknown(sql, model)
    return []


async def _unknown(sql: PoolConnectionProxy[Any], model: str) -> NoReturn:
    raise UnknownModelError(model, await postgres_models.load_names(sql))
