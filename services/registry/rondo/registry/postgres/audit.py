"""The audit chains: append-only records, and the head of each chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.registry.audit import hash_chain
from rondo.registry.audit.hash_chain import ChainHead
from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord
    from rondo.registry.model.model import Actor


async def append(sql: PoolConnectionProxy[Any], model: str, actor: Actor, entry: AuditEntry) -> ChainHead:
    """Append to the chain of a model that exists; the caller holds its lock. Returns the new head."""
    head = await load_head(sql, model)
    assert head is not None, model  # noqa: S101 - the model exists
    record = hash_chain.append(model, head, datetime.now(UTC), actor.name, entry)
    await sql.execute(
        "insert into audit (model, number, at, action, decided_by, evidence, previous_hash, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        record.model, record.number, record.at, record.action, record.decided_by, record.evidence,
        record.previous_hash, record.hash,
    )  # fmt: skip
    update = "update models set audit_length = $2, audit_head = $3 where name = $1"
    await sql.execute(update, model, record.number, record.hash)
    return ChainHead(model, record.number, record.hash)


async def load_head(sql: PoolConnectionProxy[Any], model: str) -> ChainHead | None:
    """Load the head of a chain; None when there is no such model."""
    row = await sql.fetchrow("select name, audit_length, audit_head from models where name = $1", model)
    return ChainHead(*row) if row else None


async def load_records(sql: PoolConnectionProxy[Any], model: str) -> Sequence[AuditRecord]:
    """Load a whole chain, oldest first."""
    return [rows.record(row) for row in await sql.fetch("select * from audit where model = $1 order by number", model)]
