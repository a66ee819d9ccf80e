"""The secrets and roles of the composed system: created once, each for its reader, with the usual roles."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from rondo.contracts.access_tokens import Role, matches, parse_seeds, split
from rondo.embedded.postgres.databases import CREATE_DATABASE
from rondo.embedded.postgres.roles import SERVICES_WITH_SCHEMA, script

DOCKER = Path(__file__).resolve().parents[2] / "deploy/docker"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Return folders in the form of the volumes, and stand-ins for `chown`, which needs root and other users."""
    for name in ("postgres", *SERVICES_WITH_SCHEMA):
        (tmp_path / "secrets" / name).mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chown").write_text('#!/bin/sh\necho "$@" >> "$CHOWN_LOG"\n')
    (tmp_path / "bin/chown").chmod(0o755)
    return tmp_path / "secrets"


def make(secrets: Path) -> dict[str, str]:
    """Run the script, and return the content of every file."""
    environment = {"PATH": f"{secrets.parent / 'bin'}:/usr/bin:/bin", "CHOWN_LOG": str(secrets.parent / "chown.log")}
    subprocess.run(["bash", DOCKER / "secrets.sh", secrets], check=True, env=environment)  # noqa: S603, S607
    return {str(file.relative_to(secrets)): file.read_text() for file in secrets.rglob("*") if file.is_file()}


def test_every_reader_gets_its_own_and_no_more(secrets: Path) -> None:
    """Each service with a role has a password, which PostgreSQL has, too. Only the registry has the tokens."""
    made = make(secrets)
    passwords = {f"{name}/postgres-password" for name in SERVICES_WITH_SCHEMA}
    known_to_postgres = {"postgres/superuser"} | {f"postgres/{name}" for name in SERVICES_WITH_SCHEMA}
    tokens = {f"registry/token-{role}" for role in Role}
    assert made.keys() == passwords | known_to_postgres | tokens | {"registry/tokens"}
    assert all(made[f"{name}/postgres-password"] == made[f"postgres/{name}"] for name in SERVICES_WITH_SCHEMA)
    assert len({made[name] for name in passwords | known_to_postgres}) == len(known_to_postgres)
    assert all(re.fullmatch(r"[0-9a-f]{48}", made[name]) for name in passwords | known_to_postgres)
    assert len({made[name] for name in tokens}) == len(Role)
    assert {file.stat().st_mode & 0o777 for file in secrets.rglob("*") if file.is_file()} == {0o600}


def test_a_second_start_changes_nothing(secrets: Path) -> None:
    """PostgreSQL already has the first passwords."""
    assert make(secrets) == make(secrets)


def test_a_lost_copy_is_restored_from_postgresql(secrets: Path) -> None:
    """A token that was removed everywhere is replaced by a new one."""
    before = make(secrets)
    (secrets / "trainer/postgres-password").unlink()
    (secrets / "registry/token-admin").unlink()
    after = make(secrets)
    assert after["trainer/postgres-password"] == before["trainer/postgres-password"]
    assert after["registry/token-admin"] != before["registry/token-admin"]


def test_the_registry_can_authenticate_the_bearer_of_each_token(secrets: Path) -> None:
    made = make(secrets)
    seeds = {seed.id: seed for seed in parse_seeds(made["registry/tokens"])}
    for role in Role:
        found = split(made[f"registry/token-{role}"])
        assert found is not None
        assert seeds[found[0]].roles == (role,)
        assert matches(found[1], seeds[found[0]].secret_digest)


def test_a_folder_belongs_to_its_reader(secrets: Path) -> None:
    """The user of the services' image, by its number in the Dockerfile."""
    make(secrets)
    uid = re.search(r"useradd .*--uid (\d+)", (DOCKER / "Dockerfile").read_text())
    assert uid
    owners = dict(reversed(line.split()[1:]) for line in (secrets.parent / "chown.log").read_text().splitlines())
    expected = {str(secrets / name): f"{uid[1]}:{uid[1]}" for name in SERVICES_WITH_SCHEMA}
    assert owners == expected | {str(secrets / "postgres"): "postgres:"}


def test_the_database_is_that_of_the_embedded_stack() -> None:
    lines = (DOCKER / "database.sql").read_text().splitlines()
    assert [line for line in lines if not line.startswith(("--", "\\"))] == [f"{CREATE_DATABASE};"]


def test_the_roles_are_those_of_the_embedded_stack() -> None:
    # To regenerate the file: run `python -m rondo.embedded.postgres.roles` and write `:'<service>'` for each password.
    statements = script({f"RONDO_PASSWORD_{name.upper()}": f"<{name}>" for name in SERVICES_WITH_SCHEMA})
    expected = re.sub(r"'<(\w+)>'", r":'\1'", statements)
    lines = (DOCKER / "roles.sql").read_text().splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith(("--", "\\"))) == expected
    assert [line for line in lines if line.startswith("\\set ") and "cat" in line] == [
        f"\\set {name} `cat /run/rondo/{name}`\n" for name in SERVICES_WITH_SCHEMA
    ]


def test_a_runbook_starts_a_service_without_those_that_it_needs() -> None:
    """docker-compose 1.29 would otherwise recreate Kafka and PostgreSQL, too."""
    runbooks = sorted((DOCKER.parents[1] / "docs/runbooks").glob("*.md"))
    commands = [line for page in runbooks for line in re.findall(r"docker compose (?:up|run)[^`\n]*", page.read_text())]
    of_services = [command for command in commands if command.removesuffix(" -d") != "docker compose up"]
    assert len(of_services) >= 6
    assert [command for command in of_services if " --no-deps " not in command] == []
