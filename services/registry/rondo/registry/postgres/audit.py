"""The audit chain in PostgreSQL: records that nobody changes, and the head of each chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.registry.audit import hash_chain
from rondo.registry.audit.hash_chain import Head
from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.audit.hash_chain import Record, Statement
    from rondo.registry.model.model import Cause


async def append(sql: PoolConnectionProxy[Any], model: str, cause: Cause, statement: Statement) -> Head:
    """Append a statement to the chain of a model that exists, whose lock the caller has. Returns the new head."""
    head = await load_head(sql, model)
    assert head is not None, model  # noqa: S101 - the model exists
    record = hash_chain.append(model, head, datetime.now(UTC), cause.decided_by, statement)
    await sql.execute(
        "insert into audit (model, number, at, action, decided_by, evidence, previous_hash, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        record.model, record.number, record.at, record.action, record.decided_by, record.evidence,
        record.previous_hash, record.hash,
    )  # fmt: skip
    update = "update models set audit_length = $2, audit_head = $3 where name = $1"
    await sql.execute(update, model, record.number, record.hash)
    return Head(model, record.number, record.hash)


async def load_head(sql: PoolConnectionProxy[Any], model: str) -> Head | None:
    """Load the head of a chain; None when there is no such model."""
    row = await sql.fetchrow("select name, audit_length, audit_head from models where name = $1", model)
    return Head(*row) if row else None


async def load_records(sql: PoolConnectionProxy[Any], model: str) -> Sequence[Record]:
    """Load a whole chain, oldest first."""
    return [rows.record(row) for row in await sql.fetch("select * from audit where model = $1 order by number", model)]
