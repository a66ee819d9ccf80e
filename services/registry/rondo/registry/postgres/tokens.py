"""The table of access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.events.access import TokenChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

# An arbitrary key that no other lock of the registry has.
_TOKENS_LOCK = 1_953_458_542


async def lock(sql: PoolConnectionProxy[Any]) -> None:
    """Lock all tokens against other writers, so that changes reach the topic in the order in which they were made."""
    await sql.execute("select pg_advisory_xact_lock($1)", _TOKENS_LOCK)


async def load(sql: PoolConnectionProxy[Any]) -> Sequence[TokenChanged]:
    found = await sql.fetch("select * from tokens order by created_at, token_id")
    return [TokenChanged.model_validate(dict(row)) for row in found]


async def save(sql: PoolConnectionProxy[Any], token: TokenChanged) -> None:
    await sql.execute(
        "insert into tokens (token_id, name, roles, secret_digest, created_at, expires_at, revoked_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (token_id) do update"
        " set secret_digest = excluded.secret_digest, revoked_at = excluded.revoked_at",
        token.token_id, token.name, list(token.roles), token.secret_digest,
        token.created_at, token.expires_at, token.revoked_at,
    )  # fmt: skip
