"""The database of the platform, and the DSN of each service in it."""

import secrets
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.postgres.roles import DATABASE, database_sql, role_sql

# The server's default may be an encoding that the services refuse. The locale C fits every encoding, and sorts the same
# everywhere.
CREATE_DATABASE = f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"


async def create_databases(superuser: str, services: list[str]) -> dict[str, str]:
    """Create the database and each service's role and schema if they do not exist. Set new passwords.

    `superuser` is a superuser's DSN. Return the DSN of each service.

    Raises:
        PostgresUnavailableError: the server does not answer, or refuses a statement.

    """
    passwords = {service: secrets.token_urlsafe(24) for service in services}
    statements = database_sql() + [line for name, secret in passwords.items() for line in role_sql(name, secret)]
    try:
        await _create_database(superuser)
        await _run(platform_address(superuser), statements)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PostgresUnavailableError(str(error)) from error
    return {name: _address(superuser, name, secret) for name, secret in passwords.items()}


def platform_address(superuser: str) -> str:
    """Return a superuser's DSN of the platform's database, which may not exist yet."""
    return _address(superuser)


async def _create_database(superuser: str) -> None:
    try:
        await _run(superuser, [CREATE_DATABASE])
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return  # it exists from an earlier start, or another stack creates it at this moment


async def _run(address: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(address, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _address(superuser: str, user: str | None = None, password: str | None = None) -> str:
    parts = urlsplit(superuser)
    login, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{f'{user}:{password}' if user else login}@{host}", path=f"/{DATABASE}"))
