"""PostgreSQL roles: one per service, each with its own schema and without access to the other schemas.

The embedded stack runs these statements. For any other server, `python -m rondo.embedded.postgres.roles` prints them
with the passwords from RONDO_PASSWORD_<SERVICE>.
"""

import os
import re
import sys
from collections.abc import Mapping

DATABASE = "rondo"
SERVICES_WITH_SCHEMA = ("ingestion", "trainer", "registry", "monitor")


def database_sql() -> list[str]:
    """Return idempotent statements for the database, which run before those of the roles."""
    return [
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    ]


def role_sql(service: str, password: str) -> list[str]:
    """Return the statements that create the role and schema of `service`, for a superuser in the database `rondo`.

    They are idempotent, except that they set the password.

    Raises:
        ValueError: `service` is not a plain name.

    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", service):
        message = f"{service!r} is not a plain name for a role"
        raise ValueError(message)
    secret = password.replace("'", "''")
    return [
        f"DO $$ BEGIN CREATE ROLE {service}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"ALTER ROLE {service} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD '{secret}'",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {service}",
        f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}",
        f"REVOKE ALL ON SCHEMA {service} FROM PUBLIC",
        f"ALTER ROLE {service} IN DATABASE {DATABASE} SET search_path = {service}",
    ]


def script(environment: Mapping[str, str]) -> str:
    """Return one script for all services.

    Raises:
        KeyError: the environment has no password for a service.

    """
    passwords = {each: environment[f"RONDO_PASSWORD_{each.upper()}"] for each in SERVICES_WITH_SCHEMA}
    statements = database_sql() + [line for service, secret in passwords.items() for line in role_sql(service, secret)]
    return "".join(f"{statement};\n" for statement in statements)


if __name__ == "__main__":
    sys.stdout.write(script(os.environ))
