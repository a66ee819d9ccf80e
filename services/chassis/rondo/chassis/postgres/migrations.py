"""Creates the tables of a service: inbox and outbox, then its migrations, each applied once."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, ClassVar

from rondo.chassis.errors import StartRefusedError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from typing import Any, TypeAlias

    import asyncpg

    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[Any]

log = logging.getLogger(__name__)
# Three times the retention of a topic (contracts/topics.py): an older event can't be delivered again.
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
create table if not exists migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
);
"""


class MigrationChangedError(StartRefusedError):
    """The content of an applied migration has changed, so the tables may differ from those of this release."""

    code: ClassVar[str] = "migration_changed"

    def __init__(self, service: str, name: str) -> None:
        self.service, self.name = service, name
        super().__init__(
            f"the migration {name} of {service} differs from the one that this database has applied: restore the file "
            "and put the change into a further migration, or start with an empty schema"
        )


async def migrate(connection: Connection, service: str, migrations: Traversable) -> None:
    """Create the common tables, then apply the missing migrations of a service (`NNN_name.sql`, by number).

    Raises:
        MigrationChangedError: the content of an applied migration has changed.

    """
    # Replicas that start at the same time run this one after the other.
    await connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"{service}.migrations")
    await connection.execute(_MESSAGING_SQL)
    await connection.execute(_FORGET_HANDLED)
    applied = {row["name"]: row["checksum"] for row in await connection.fetch("select name, checksum from migrations")}
    for file in sorted((f for f in migrations.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
        sql = file.read_text()
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        if applied.get(file.name, checksum) != checksum:
            raise MigrationChangedError(service, file.name)
        if file.name not in applied:
            await connection.execute(sql)
            await connection.execute("insert into migrations (name, checksum) values ($1, $2)", file.name, checksum)
            log.info("applied migration %s", file.name)
