"""The audit chains: append-only records, and the head of each chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.registry.audit import hash_chain
from rondo.registry.audit.hash_chain import GENESIS, ChainHead
from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord
    from rondo.registry.model.model import Actor


async def append(sql: PoolConnectionProxy[Any], chain: str, actor: Actor, entry: AuditEntry) -> ChainHead:
    """Append to a chain, and return its new head, which is locked until the transaction ends."""
    await sql.execute(
        "insert into audit_heads (chain, length, hash) values ($1, 0, $2) on conflict do nothing", chain, GENESIS
    )
    head = ChainHead(*await sql.fetchrow("select * from audit_heads where chain = $1 for update", chain))
    record = hash_chain.append(head, datetime.now(UTC), actor.name, entry)
    await sql.execute(
        "insert into audit (chain, number, at, action, decided_by, evidence, previous_hash, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        record.chain, record.number, record.at, record.action, record.decided_by, record.evidence,
        record.previous_hash, record.hash,
    )  # fmt: skip
    update = "update audit_heads set length = $2, hash = $3 where chain = $1"
    await sql.execute(update, chain, record.number, record.hash)
    return ChainHead(chain, record.number, record.hash)


async def load_head(sql: PoolConnectionProxy[Any], chain: str) -> ChainHead | None:
    """Load the head of a chain. None if there is no such chain."""
    row = await sql.fetchrow("select chain, length, hash from audit_heads where chain = $1", chain)
    return ChainHead(*row) if row else None


async def load_chains(sql: PoolConnectionProxy[Any]) -> Sequence[str]:
    return [row["chain"] for row in await sql.fetch("select chain from audit_heads order by chain")]


async def load_records(sql: PoolConnectionProxy[Any], chain: str, after: int, limit: int) -> Sequence[AuditRecord]:
    """Load up to `limit` records after number `after`, oldest first."""
    select = "select * from audit where chain = $1 and number > $2 order by number limit $3"
    return [rows.record(row) for row in await sql.fetch(select, chain, after, limit)]


async def load_latest(
    sql: PoolConnectionProxy[Any], chain: str, actions: Sequence[str], limit: int
) -> Sequence[AuditRecord]:
    """Load the newest `limit` records with one of some actions, oldest first."""
    select = "select * from audit where chain = $1 and action = any ($2) order by number desc limit $3"
    return [rows.record(row) for row in reversed(await sql.fetch(select, chain, list(actions), limit))]
