"""The table of the files of registrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# The first key of the advisory locks of files. The second is the hash of the digest.
_LOCKS = 1_970_302_066
_NEEDED = """\
select exists (select from uploads where artifact = $1)
    or exists (select from versions where digest = $1 or trained::jsonb -> 'trigger' ->> 'artifact' = $1)
"""


async def save(sql: PoolConnectionProxy[Any], artifact: str, trigger: str) -> None:
    await _lock(sql, artifact)
    await sql.execute("insert into uploads (trigger_id, artifact) values ($1, $2)", trigger, artifact)


async def release(sql: PoolConnectionProxy[Any], artifact: str, trigger: str | None) -> bool:
    await _lock(sql, artifact)
    await sql.execute("delete from uploads where trigger_id = $1", trigger)
    return not await sql.fetchval(_NEEDED, artifact)


async def _lock(sql: PoolConnectionProxy[Any], artifact: str) -> None:
    await sql.execute("select pg_advisory_xact_lock($1::int, hashtext($2))", _LOCKS, artifact)
