"""What people ask the registry about, from PostgreSQL. Reads see one state, and wait for no writer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from rondo.registry import rows
from rondo.registry.errors import UnknownModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from asyncpg.pool import PoolConnectionProxy

    from rondo.chassis.postgres import Database
    from rondo.registry.audit import Record
    from rondo.registry.history import Deployment
    from rondo.registry.refusals import Words
    from rondo.registry.runs import Run
    from rondo.registry.versions import Candidate, Model


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
            found = [await rows.load_model(sql, name) for name in await _names(sql)]
        return [model for model in found if model is not None]

    async def model(self, name: str) -> Model:
        """Return a model, or raise UnknownModelError."""
        async with self._snapshot() as sql:
            model = await rows.load_model(sql, name)
            if model is None:
                raise UnknownModelError(name, await _names(sql))
        return model

    async def candidates(self, model: str) -> dict[int, tuple[Candidate, datetime]]:
        """Return what is known of each version, and when it was registered."""
        async with self._snapshot() as sql:
            found = await sql.fetch(
                "select number, trained, gates, registered_at from versions where model = $1 order by number", model
            )
        return {row["number"]: (rows.candidate(row), row["registered_at"]) for row in found}

    async def deployments(self, model: str) -> Sequence[Deployment]:
        """Return every deployment, oldest first."""
        async with self._snapshot() as sql:
            return await rows.load_deployments(sql, model)

    async def audit(self, model: str) -> tuple[Sequence[Record], str, int]:
        """Return the audit records, oldest first, and the chain's head and length."""
        async with self._snapshot() as sql:
            head = await sql.fetchrow("select audit_head, audit_length from models where name = $1", model)
            if head is None:
                raise UnknownModelError(model, await _names(sql))
            records = await sql.fetch("select * from audit where model = $1 order by number", model)
        return [rows.record(row) for row in records], head["audit_head"], head["audit_length"]

    async def words(self, model: str) -> Words:
        """Return the last word of each replica on each version."""
        async with self._snapshot() as sql:
            if not await sql.fetchval("select true from models where name = $1", model):
                raise UnknownModelError(model, await _names(sql))
            return await rows.load_words(sql, model)

    async def unsettled(self) -> Sequence[tuple[str, int]]:
        """Return model and revision of the deployments that some replica refuses, and that none serves."""
        async with self._snapshot() as sql:
            found = await sql.fetch(
                "select m.name, m.revision from models m"
                " join replicas r on r.model = m.name and r.revision = m.revision"
                " group by m.name having bool_or(r.state = 'refused') and not bool_or(r.state = 'available')"
            )
        return [(row["name"], row["revision"]) for row in found]

    async def runs(self, model: str | None, limit: int) -> Sequence[Run]:
        """Return the latest runs, newest first."""
        async with self._snapshot() as sql:
            found = await sql.fetch(
                "select * from runs where $1::text is null or model = $1 order by recorded_at desc limit $2",
                model, limit,
            )  # fmt: skip
        return [rows.run(row) for row in found]


async def _names(sql: PoolConnectionProxy[Any]) -> tuple[str, ...]:
    return tuple(row["name"] for row in await sql.fetch("select name from models order by name"))
