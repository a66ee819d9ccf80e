"""One role and one schema per service, without access to others."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from rondo.embedded import Postgres
from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.postgres.databases import create_databases
from rondo.embedded.postgres.roles import SERVICES_WITH_SCHEMA, role_sql, script


@pytest.fixture
async def superuser(tmp_path: Path) -> AsyncIterator[str]:
    """A server's superuser address."""
    async with Postgres(tmp_path) as postgres:
        yield postgres.dsn


async def test_each_service_owns_its_schema_and_cannot_read_anothers(superuser: str) -> None:
    """The database itself restricts the rights. A second run is harmless, and changes the passwords."""
    before = await create_databases(superuser, ["registry", "trainer"])
    after = await create_databases(superuser, ["registry", "trainer"])
    registry = await asyncpg.connect(after["registry"])
    await registry.execute("CREATE TABLE versions (id int)")
    assert await registry.fetchval("SELECT current_schema()") == "registry"
    trainer = await asyncpg.connect(after["trainer"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await trainer.fetch("SELECT * FROM registry.versions")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await trainer.execute("CREATE TABLE public.anything (id int)")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(before["trainer"])
    await registry.close()
    await trainer.close()


async def test_the_database_is_in_utf8_whatever_the_default_of_the_server(superuser: str) -> None:
    connection = await asyncpg.connect(superuser)
    await connection.execute("UPDATE pg_database SET encoding = 0 WHERE datname = 'template1'")
    assert await connection.fetchval("SELECT pg_encoding_to_char(0)") == "SQL_ASCII"
    await create_databases(superuser, ["registry"])
    encoding = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'rondo'"
    assert await connection.fetchval(encoding) == "UTF8"
    await connection.close()


async def test_an_unreachable_server_is_one_line_with_the_ways_out() -> None:
    """RONDO_POSTGRES may name a server that is down."""
    with pytest.raises(PostgresUnavailableError) as raised:
        await create_databases("postgresql://postgres:x@127.0.0.1:9/postgres", ["registry"])
    assert "Connect call failed" in raised.value.reason


def test_a_password_is_quoted() -> None:
    """A password can't inject SQL."""
    assert "PASSWORD 'it''s'" in role_sql("registry", "it's")[1]


def test_a_role_has_a_plain_name() -> None:
    """Names are inserted into SQL without quotes."""
    with pytest.raises(ValueError, match=";") as refusal:
        role_sql("registry; DROP", "x")
    assert "registry; DROP" in str(refusal.value)


def test_the_script_for_other_servers_holds_all_roles() -> None:
    """The PostgreSQL of Docker Compose gets the same statements."""
    environment = {f"RONDO_PASSWORD_{name.upper()}": "secret" for name in SERVICES_WITH_SCHEMA}
    statements = script(environment).splitlines()
    assert all(
        f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {name};" in statements for name in SERVICES_WITH_SCHEMA
    )
