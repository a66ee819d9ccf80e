"""A PostgreSQL 16 server on loopback, with its own password."""

import secrets
import shutil
import subprocess
from pathlib import Path
from signal import SIGINT, SIGQUIT

import asyncpg

from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.postgres.binaries import Location, find_location, remove_location
from rondo.embedded.processes.ports import LOOPBACK, free_port
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.server import Server

SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_CLUSTER = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", f"--username={SUPERUSER}")


class Postgres(Server):
    """A server that keeps its files under `folder`, or in /var/tmp if its account has no access to `folder`."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, *, keep: bool = False, port: int | None = None) -> None:
        """Listen on `port`, by default a free one. `keep` continues with the data of an earlier start."""
        self.folder = folder.absolute()
        self.port = port or free_port()
        self._keep = keep
        self._password = ""
        # SIGINT is the "fast" shutdown, which does not wait for clients. SIGQUIT ends all processes of the server at
        # once.
        log = self.folder / "postgres.log"
        self.process = Process(command=(), log=log, stop_signal=SIGINT, parent_death_signal=SIGQUIT)

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{self.port}/postgres"

    def prepare(self) -> None:
        """Find the programs, and create a cluster unless the cluster of an earlier start is kept."""
        if not self._keep:
            remove_location(self.folder)
        location = find_location(self.folder)
        secret, data = location.folder / "password", location.folder / "data"
        if not (self._keep and secret.exists() and (data / "PG_VERSION").exists()):
            _create_cluster(location, secret, data)
        self._password = secret.read_text("ascii")
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(self.port)}.items()]
        self.process.command = [str(location.programs / "postgres"), "-D", str(data), *settings]
        self.process.account = location.account

    async def answers(self) -> bool:
        """Return whether a login and a query succeed."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=2)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        try:
            return bool(await connection.fetchval("SELECT 1") == 1)
        finally:
            await connection.close()

    def stop(self) -> None:
        """Stop the server, and delete files outside the folder unless they are kept."""
        super().stop()
        if not self._keep:
            remove_location(self.folder)


def _create_cluster(location: Location, secret: Path, data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24), "ascii")
    # Only these two: if the account owned their folder, it could place a link where root writes.
    if location.account:
        location.account.chown(data)
        location.account.chown(secret)
    _initdb(location, [f"--pwfile={secret}", f"--pgdata={data}"])


def _initdb(location: Location, arguments: list[str]) -> None:
    account = location.account
    done = subprocess.run(  # noqa: S603 - our own command
        [location.programs / "initdb", *_CLUSTER, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        raise PostgresUnavailableError((done.stderr or done.stdout).strip().splitlines()[-1])
