"""A real PostgreSQL 16 server on loopback, with a password of its own."""

import secrets
import shutil
import subprocess
from pathlib import Path
from signal import SIGINT, SIGQUIT

import asyncpg

from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.postgres.binaries import Place, find_place, leave_place
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
    """A server that keeps its files under `folder`, or, where its account can't go there, beside /var/tmp's others."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        """Take a free port. `keep` goes on with the data of an earlier start."""
        self.folder = folder.absolute()
        self.port = free_port()
        self._keep = keep
        self._password = ""
        # An interrupt is its "fast" stop, which doesn't wait for clients; SIGQUIT ends it at once, but all of it.
        self.process = Process(command=(), log=self.folder / "postgres.log", stop_signal=SIGINT, farewell=SIGQUIT)

    @property
    def dsn(self) -> str:
        """The superuser's address."""
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{self.port}/postgres"

    def prepare(self) -> None:
        """Find the programs and make a cluster, unless the data of an earlier one is kept."""
        if not self._keep:
            leave_place(self.folder)
        place = find_place(self.folder)
        secret, data = place.folder / "password", place.folder / "data"
        if not (self._keep and secret.exists() and (data / "PG_VERSION").exists()):
            _make_cluster(place, secret, data)
        self._password = secret.read_text("ascii")
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(self.port)}.items()]
        self.process.command = [str(place.programs / "postgres"), "-D", str(data), *settings]
        self.process.account = place.account

    async def answers(self) -> bool:
        """Log in and ask for a number."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=2)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        try:
            return bool(await connection.fetchval("SELECT 1") == 1)
        finally:
            await connection.close()

    def stop(self) -> None:
        """Stop, and delete what lies outside the folder unless it is to be kept."""
        super().stop()
        if not self._keep:
            leave_place(self.folder)


def _make_cluster(place: Place, secret: Path, data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24), "ascii")
    # Only these two: were the folder around them the account's, it could lay a link where root writes.
    if place.account:
        place.account.give(data)
        place.account.give(secret)
    _initdb(place, [f"--pwfile={secret}", f"--pgdata={data}"])


def _initdb(place: Place, arguments: list[str]) -> None:
    account = place.account
    done = subprocess.run(  # noqa: S603 - our own command
        [place.programs / "initdb", *_CLUSTER, *arguments],
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
