"""PostgreSQL: a pool per service, its migrations, and the unit of work with inbox and outbox.

A state change, the inbox row of its event and the outbox rows of the events that it causes commit in one transaction.
So a redelivered event changes nothing, and no event is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from rondo.chassis.errors import AlreadyHandledError, Backoff, StartRefusedError, UnavailableError
from rondo.chassis.postgres.migrations import migrate
from rondo.chassis.postgres.transaction import Transaction
from rondo.chassis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from importlib.resources.abc import Traversable

    from rondo.chassis.health import Health
    from rondo.chassis.settings import PostgresSettings
    from rondo.contracts.events.cloudevents import Envelope

log = logging.getLogger(__name__)
# The server is unavailable, stopping, out of resources, a read-only standby, or asks to repeat the transaction:
# classes 08, 57, 53 and 40 of the SQLSTATE codes (PostgreSQL's manual, appendix A), and 25006.
_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
)
# With these the server ends a session, and so its locks, about 25 s after the client's host was lost. Without them it
# takes two hours.
_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
# A process that hangs keeps its connections. A session with a lock, which is normally used each second, ends after this
# time without use. It is longer than a call to a receiver of alerts, and than the time in which Kafka refuses an event.
HUNG_SECONDS = 60.0
_NO_CONNECTION = (*_UNAVAILABLE, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class DatabaseEncodingError(StartRefusedError):
    """The encoding of the database is not UTF8, so PostgreSQL refuses to convert some or all texts."""

    code: ClassVar[str] = "database_encoding"

    def __init__(self, database: str, encoding: str) -> None:
        self.database, self.encoding = database, encoding
        super().__init__(
            f"the database {database} has the encoding {encoding}: create one with ENCODING 'UTF8' "
            "TEMPLATE template0, and name it in RONDO_POSTGRES"
        )


class Database:
    """The schema of a service, through a pool of connections."""

    def __init__(self, pool: asyncpg.Pool[Any], service: str) -> None:
        self.pool = pool
        self.service = service

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction. It commits at the end, and rolls back if the body raises.

        Raises:
            UnavailableError: PostgreSQL is unavailable, full, or asks to repeat the transaction.

        """
        connection = await self._acquire()
        try:
            with _as_unavailable(connection):
                async with connection.transaction():
                    yield Transaction(connection, self.service)
        finally:
            await self.pool.release(connection)

    @asynccontextmanager
    async def session(self, idle_seconds: float | None = None) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[Any]]:
        """Hold a connection, and close it at the end together with its listeners and the locks of its session.

        The server closes it if it is not used for `idle_seconds`.

        Raises:
            UnavailableError: as for `transaction`.

        """
        connection = await self._acquire()
        try:
            with _as_unavailable(connection):
                if idle_seconds is not None:
                    await end_when_idle(connection, idle_seconds)
                yield connection
        finally:
            # Releasing locks and listeners one by one would fail on a broken connection, and this error would replace
            # the original error or a cancellation.
            terminate(connection)
            await self.pool.release(connection)

    async def _acquire(self) -> asyncpg.pool.PoolConnectionProxy[Any]:
        try:
            return await self.pool.acquire(timeout=10)
        except _NO_CONNECTION as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def session_lock(self, name: str) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[Any] | None]:
        """Hold a lock while the body runs, on a separate connection. Yields None if another process has the lock.

        Unlike a transaction it may be held for hours. The lock ends with its connection, which may break long before
        the body ends. Statements on the yielded connection are always under the lock. The server closes a connection
        that is not used for `HUNG_SECONDS`.

        Raises:
            UnavailableError: PostgreSQL is unavailable, or the connection broke.

        """
        async with self.session(HUNG_SECONDS) as connection:
            locked = await connection.fetchval("select pg_try_advisory_lock(hashtext($1))", name)
            yield connection if locked else None

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[Transaction]:
        """Open the transaction of an event, with its inbox row.

        Raises:
            AlreadyHandledError: the inbox has the event.
            UnavailableError: as for `transaction`.

        """
        async with self.transaction() as opened:
            status = await opened.connection.execute(
                "insert into inbox (event_id, event_type) values ($1, $2) on conflict do nothing",
                envelope.id, envelope.data.event_type(),
            )  # fmt: skip
            if status == "INSERT 0 0":
                raise AlreadyHandledError(envelope.id)
            yield Transaction(opened.connection, self.service, envelope)

    async def ping(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: no answer within 2 s, or the service can't work with it.

        """
        try:
            async with asyncio.timeout(2), self.pool.acquire() as connection:
                await connection.execute("select 1")
        except (*_NO_CONNECTION, asyncpg.PostgresError) as error:
            raise _unavailable(error) from error


def expect(health: Health) -> None:
    """Show PostgreSQL in `/readyz` before there is a connection."""
    health.expect("postgresql", "PostgreSQL", "start it, or correct RONDO_POSTGRES if its address is wrong")


async def end_when_idle(connection: asyncpg.pool.PoolConnectionProxy[Any], seconds: float) -> None:
    """Make the server end a session that is idle for `seconds` outside of a transaction."""
    await connection.execute(f"set idle_session_timeout = {round(seconds * 1000)}")


def is_broken(connection: asyncpg.pool.PoolConnectionProxy[Any]) -> bool:
    """Return whether a connection is broken. The proxy of a broken one raises instead of answering."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def terminate(connection: asyncpg.pool.PoolConnectionProxy[Any]) -> None:
    """Close a connection instead of releasing it to the pool, with its listeners."""
    # The pool detaches a broken connection from its proxy, which then raises.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


@contextmanager
def _as_unavailable(connection: asyncpg.pool.PoolConnectionProxy[Any]) -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        raise _unavailable(error) from error
    except asyncpg.InterfaceError as error:
        # asyncpg raises this for a broken connection, which is a temporary error, and for a wrong number of arguments.
        if is_broken(connection):
            raise _unavailable(error) from error
        raise
    except asyncpg.InternalClientError as error:
        # A query on a connection that breaks raises this. The connection must not be used again.
        terminate(connection)
        raise _unavailable(error) from error


def _unavailable(error: BaseException) -> UnavailableError:
    return UnavailableError("PostgreSQL", f"{type(error).__name__}: {error}")


@asynccontextmanager
async def connect(
    settings: PostgresSettings,
    migrations: Traversable,
    backoff: Backoff = Backoff(first=0.2, cap=3.0),  # noqa: B008 - frozen
    max_size: int = 8,
) -> AsyncIterator[Database]:
    """Connect and apply the migrations. Waits without limit while PostgreSQL is unavailable.

    There are at most `max_size` connections.

    Raises:
        DatabaseEncodingError: the encoding of the database is not UTF8.
        MigrationChangedError: the content of an applied migration has changed.

    """
    pool = await _open_pool(settings, backoff, max_size)
    try:
        database = Database(pool, settings.service)
        async with database.transaction() as work:
            await _check_encoding(work.connection)
            await migrate(work.connection, settings.service, migrations)
        yield database
    finally:
        pool.terminate()


async def _check_encoding(connection: asyncpg.pool.PoolConnectionProxy[Any]) -> None:
    query = "select current_database(), current_setting('server_encoding')"
    database, encoding = await connection.fetchrow(query)
    if encoding != "UTF8":
        raise DatabaseEncodingError(database, encoding)


async def _open_pool(settings: PostgresSettings, backoff: Backoff, max_size: int) -> asyncpg.Pool[Any]:
    password = settings.postgres_password.get_secret_value() if settings.postgres_password else None

    async def open_pool() -> asyncpg.Pool[Any]:
        return await asyncpg.create_pool(
            settings.postgres.get_secret_value(),
            password=password,
            min_size=1,
            max_size=max_size,
            timeout=5,
            init=_json_as_dict,
            server_settings={
                "search_path": settings.service,
                "application_name": settings.instance,
                **_KEEPALIVES,
            },
        )

    return await Retry("PostgreSQL", _NO_CONNECTION, backoff).call(open_pool)


async def _json_as_dict(connection: asyncpg.Connection[Any]) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
