"""The tables of a service: inbox and outbox, which all have, and then its own migrations, each applied once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from typing import Any, TypeAlias

    import asyncpg

    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[Any]

log = logging.getLogger(__name__)
# Three times what a topic keeps (contracts/topics.py): no event that is older can come again.
_FORGET_HANDLED = "delete from inbox where handled_at < now() - interval '90 days'"
_MESSAGING_SQL = """
create table if not exists inbox (
    event_id text primary key,
    event_type text not null,
    handled_at timestamptz not null default now()
);
create table if not exists outbox (
    id bigint generated always as identity primary key,
    event_id text not null,
    topic text not null,
    key text not null,
    value bytea not null,
    headers jsonb not null,
    written_at timestamptz not null default now()
);
create table if not exists migrations (name text primary key, applied_at timestamptz not null default now());
"""


async def migrate(connection: Connection, service: str, migrations: Traversable) -> None:
    """Apply what was not applied yet of `migrations` (`*.sql`, by name), after the tables that every service has."""
    # Replicas that start together take turns.
    await connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"{service}.migrations")
    await connection.execute(_MESSAGING_SQL)
    await connection.execute(_FORGET_HANDLED)
    done = {row["name"] for row in await connection.fetch("select name from migrations")}
    for file in sorted((f for f in migrations.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
        if file.name not in done:
            await connection.execute(file.read_text())
            await connection.execute("insert into migrations (name) values ($1)", file.name)
            log.info("applied migration %s", file.name)
