"""A real server: its password, its account, its restarts."""

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from rondo.embedded import Postgres
from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.postgres import binaries


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for the tests of this file."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres


async def query(dsn: str, sql: str) -> object:
    """Run one query on a connection of its own."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_it_is_postgresql_16(postgres: Postgres) -> None:
    """The version that production runs."""
    assert str(await query(postgres.dsn, "SHOW server_version")).startswith("16.")


async def test_it_listens_on_loopback_alone(postgres: Postgres) -> None:
    """It is not reachable from the network or by a socket file."""
    assert await query(postgres.dsn, "SHOW listen_addresses") == "127.0.0.1"
    assert await query(postgres.dsn, "SHOW unix_socket_directories") == ""


async def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    """No local user is trusted."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(f"postgresql://postgres:guess@127.0.0.1:{postgres.port}/postgres", "SELECT 1")
    assert str(await query(postgres.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")).startswith(
        "SCRAM-SHA-256$"
    )


def test_it_never_runs_as_root(postgres: Postgres) -> None:
    """PostgreSQL refuses to run as root. For other users it runs as that user."""
    uid = psutil.Process(postgres.process.pid).uids().effective
    assert uid != 0
    assert os.geteuid() in {0, uid}


def test_the_password_file_is_for_its_account_alone(postgres: Postgres) -> None:
    """Mode 0600."""
    place = binaries.find_location(postgres.folder)
    assert stat.S_IMODE((place.folder / "password").stat().st_mode) == 0o600


async def test_a_killed_server_restarts_on_its_port_with_its_data(postgres: Postgres) -> None:
    """The server still has committed rows."""
    await query(postgres.dsn, "CREATE TABLE kept AS SELECT 7 AS answer")
    postgres.kill()
    with pytest.raises(ConnectionRefusedError):
        await query(postgres.dsn, "SELECT 1")
    await postgres.restart()
    assert await query(postgres.dsn, "SELECT answer FROM kept") == 7


@pytest.mark.slow
async def test_a_paused_server_does_not_answer_until_it_is_resumed(postgres: Postgres) -> None:
    """Open connections stall, too."""
    connection = await asyncpg.connect(postgres.dsn)
    postgres.pause()
    asked = asyncio.create_task(connection.fetchval("SELECT 1"))
    try:
        assert not await postgres.answers()
        assert not asked.done()
    finally:
        postgres.resume()
    assert await asked == 1
    await connection.close()


@pytest.mark.slow
def test_data_is_kept_on_request_alone(tmp_path: Path) -> None:
    """`rondo up` keeps its data and its password. The demo starts with none."""
    with Postgres(tmp_path, keep=True) as before:
        asyncio.run(query(before.dsn, "CREATE TABLE kept AS SELECT 7 AS answer"))
    with Postgres(tmp_path, keep=True) as kept:
        assert asyncio.run(query(kept.dsn, "SELECT answer FROM kept")) == 7
    with Postgres(tmp_path) as second:
        assert asyncio.run(query(second.dsn, "SELECT to_regclass('kept')")) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
@pytest.mark.slow
def test_a_folder_unreachable_for_the_account_is_replaced_and_cleaned_up(tmp_path: Path) -> None:
    """The home is not opened to other users."""
    tmp_path.chmod(0o700)
    with Postgres(tmp_path / "postgres") as postgres:
        elsewhere = Path((postgres.folder / "elsewhere").read_text())
        assert asyncio.run(query(postgres.dsn, "SHOW data_directory")) == str(elsewhere / "postgres" / "data")
    assert not elsewhere.exists()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
@pytest.mark.slow
def test_programs_that_its_account_may_not_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This happens if the checkout is under /root."""
    package = binaries.package_folder()
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        (private / part.name).symlink_to(part)
    monkeypatch.setattr(binaries, "package_folder", lambda: private / package.name)
    with Postgres(tmp_path / "postgres") as postgres:
        assert Path(postgres.process.command[0]).is_relative_to((postgres.folder / "elsewhere").read_text())
        assert asyncio.run(query(postgres.dsn, "SELECT 1")) == 1


def test_missing_binaries_are_one_line_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """This happens on a system for which there is no wheel."""
    monkeypatch.setattr(binaries, "_PACKAGE", "rondo.nothing")
    with pytest.raises(PostgresUnavailableError) as caught:
        binaries.package_folder()
    assert caught.value.reason.startswith("rondo.nothing ")
    assert re.findall("RONDO_POSTGRES|`.*?`", str(caught.value)) == ["RONDO_POSTGRES", "`docker compose up`"]
