"""Access tokens in PostgreSQL, and their publication on `access.tokens`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.contracts.events.access import TokenChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.access_tokens import TokenSeed


async def seed(database: Database, seeds: Sequence[TokenSeed]) -> None:
    """Add the seeded tokens that are not there yet, and publish all tokens.

    A token of an earlier start stays as it is: one that was revoked stays revoked. All are published, so that services
    can authenticate again after Kafka lost its data.
    """
    now = datetime.now(UTC)
    async with database.transaction() as work:
        await work.connection.executemany(
            "insert into tokens (token_id, name, roles, secret_digest, created_at) values ($1, $2, $3, $4, $5)"
            " on conflict do nothing",
            [(each.id, each.name, list(each.roles), each.secret_digest, now) for each in seeds],
        )
        # Locked: a change that commits meanwhile must not be overtaken by what it replaced.
        for row in await work.connection.fetch("select * from tokens order by token_id for update"):
            await work.publish(TokenChanged.model_validate(dict(row)))
