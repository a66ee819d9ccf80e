"""The unit of work and the outbox, during outages of PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from rondo.chassis import metrics
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.postgres import pool as chassis_postgres
from rondo.chassis.postgres.migrations import MigrationChangedError
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.postgres.pool import DatabaseEncodingError
from rondo.chassis.postgres.transaction import EventTooLargeError
from rondo.chassis.service import background
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.data import BatchRejected
from rondo.contracts.events.models import ModelRetired
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.postgres.server import Postgres

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from faststream.kafka import KafkaBroker

    from tests.conftest import Services

DIGEST = f"sha256:{'0' * 64}"
QUICK = Backoff(first=0.01, cap=0.05)
MIGRATIONS = files("rondo.chassis")


def event(version: int) -> ModelRetired:
    return ModelRetired(model="m", model_version=version, digest=DIGEST)


def settings_for(kafka: str, dsn: str) -> PostgresSettings:
    return PostgresSettings.model_validate({"service": "registry", "kafka": kafka, "http_port": 0, "postgres": dsn})


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    """Return a server that the test may kill."""
    async with Postgres(tmp_path) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("create schema registry")
        await connection.close()
        yield server


async def test_what_fails_leaves_neither_state_nor_event(database: Services) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        await db.pool.execute("create table state (value int)")
        with pytest.raises(RuntimeError):
            await _change_and_fail(db)
        assert await db.pool.fetchval("select count(*) from state") == 0
        assert await db.pool.fetchval("select count(*) from outbox") == 0


async def _change_and_fail(db: chassis_postgres.Database) -> None:
    async with db.transaction() as work:
        await work.connection.execute("insert into state values (1)")
        await work.publish(event(1))
        raise RuntimeError


async def test_an_event_too_large_for_its_topic_never_gets_into_the_outbox(
    database: Services,
) -> None:
    huge = BatchRejected(dataset="rides", batch_id="b", source="http", reasons=("x" * 1024 * 1024,), report=DIGEST)
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        with pytest.raises(EventTooLargeError) as caught:
            async with db.transaction() as work:
                await work.publish(huge)
        assert (caught.value.code, caught.value.topic) == ("event_too_large", BatchRejected.topic)
        assert caught.value.size > 1024 * 1024 >= caught.value.limit
        assert await db.pool.fetchval("select count(*) from outbox") == 0


async def test_a_mistake_of_ours_is_no_outage(database: Services) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        with pytest.raises(asyncpg.InterfaceError):
            async with db.transaction() as work:
                await work.connection.fetch("select $1::int")


async def test_what_was_handled_long_ago_is_deleted_at_the_next_start(database: Services) -> None:
    settings = settings_for("unused:1", await database("registry"))
    async with chassis_postgres.connect(settings, MIGRATIONS) as db:
        await db.pool.execute(
            "insert into inbox"
            " values ('old', 'e', now() - interval '91 days'), ('new', 'e', now() - interval '89 days')"
        )
    async with chassis_postgres.connect(settings, MIGRATIONS) as db:
        assert [row["event_id"] for row in await db.pool.fetch("select event_id from inbox")] == ["new"]


async def test_a_standby_that_takes_no_writes_is_an_outage_and_no_fault_of_the_message(database: Services) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        with pytest.raises(UnavailableError) as caught:  # noqa: PT012 - the block is the case
            async with db.transaction() as work:
                await work.connection.execute("set transaction read only")
                await work.publish(event(1))
    assert caught.value.what == "PostgreSQL"
    assert isinstance(caught.value.__cause__, asyncpg.ReadOnlySQLTransactionError)


class UnavailableBroker:
    """A broker without an answer from Kafka."""

    async def publish(self, *_: object, **__: object) -> None:
        raise KafkaConnectionError


async def test_pending_outbox_rows_are_counted_while_kafka_is_unavailable(database: Services) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        await _publish(db, range(3))
        relay = OutboxRelay(db, cast("KafkaBroker", UnavailableBroker()), QUICK)
        async with background(relay.run()), asyncio.timeout(10):
            while metrics.OUTBOX_PENDING._value.get() != 3:  # noqa: ASYNC110 - a gauge has no change event
                await asyncio.sleep(0.01)


class Hanging:
    """A broker of a process that hangs in `publish`. `publishing` is set then."""

    def __init__(self) -> None:
        self.publishing = asyncio.Event()

    async def publish(self, *_: object, **__: object) -> None:
        self.publishing.set()
        await asyncio.Event().wait()


class Accepting:
    """A broker that accepts everything."""

    async def publish(self, *_: object, **__: object) -> None:
        pass


@pytest.mark.medium
async def test_another_relay_goes_on_while_the_one_that_has_the_lock_hangs(
    database: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chassis_postgres, "HUNG_SECONDS", 0.2)
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        await _publish(db, range(3))
        hung = Hanging()
        async with background(OutboxRelay(db, cast("KafkaBroker", hung), QUICK).run()):
            await hung.publishing.wait()
            async with background(OutboxRelay(db, cast("KafkaBroker", Accepting()), QUICK).run()):
                await until(lambda: _count(db, 0))


async def _count(db: chassis_postgres.Database, expected: int) -> bool:
    return bool(await db.pool.fetchval("select count(*) from outbox") == expected)


async def test_a_server_notices_that_the_host_of_a_client_is_lost(database: Services) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        names = ("idle", "interval", "count")
        found = [int(await db.pool.fetchval(f"show tcp_keepalives_{name}")) for name in names]
    assert found == [10, 5, 3]


class Flaky:
    """A broker that fails once on every other message."""

    def __init__(self) -> None:
        self.calls = 0

    async def publish(self, *_: object, **__: object) -> None:
        self.calls += 1
        if self.calls % 2:
            raise KafkaConnectionError


async def test_a_success_resets_the_count_of_failures(database: Services, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise, after some failures over weeks, each further failure would have the longest wait."""
    async with chassis_postgres.connect(settings_for("unused:1", await database("registry")), MIGRATIONS) as db:
        relay = OutboxRelay(db, cast("KafkaBroker", Flaky()), QUICK)
        async with background(relay.run()), asyncio.timeout(10):
            for number in range(3):
                await _publish(db, range(number, number + 1))
                while await db.pool.fetchval("select count(*) from outbox"):  # noqa: ASYNC110 - a table has no change event
                    await asyncio.sleep(0.01)
    attempts = [record.attempt for record in caplog.records if record.name == "rondo.chassis.retry"]  # type: ignore[attr-defined]
    assert attempts == [1, 1, 1]


async def test_a_server_that_dies_is_unavailable_and_serves_again_after_its_restart(own_postgres: Postgres) -> None:
    async with chassis_postgres.connect(settings_for("unused:1", own_postgres.dsn), MIGRATIONS, QUICK) as db:
        await db.ping()
        own_postgres.kill()
        with pytest.raises(UnavailableError) as of_ping:
            await db.ping()
        with pytest.raises(UnavailableError) as of_transaction:
            async with db.transaction() as work:
                await work.publish(event(1))
        assert of_ping.value.what == of_transaction.value.what == "PostgreSQL"
        await own_postgres.restart()
        async with db.transaction() as work:
            await work.publish(event(2))
        assert await db.pool.fetchval("select count(*) from outbox") == 1


async def test_a_service_waits_for_a_server_that_is_not_there_yet(own_postgres: Postgres) -> None:
    own_postgres.kill()

    async def connect() -> None:
        async with chassis_postgres.connect(settings_for("unused:1", own_postgres.dsn), MIGRATIONS, QUICK) as db:
            await db.ping()

    connecting = asyncio.create_task(connect())
    await asyncio.wait([connecting], timeout=0.3)
    assert not connecting.done()
    await own_postgres.restart()
    await connecting


async def test_the_outbox_drains_in_order_after_a_death_of_the_server(own_postgres: Postgres, clean_kafka: str) -> None:
    settings = settings_for(clean_kafka, own_postgres.dsn)
    await chassis_kafka.wait_for_kafka(KafkaConnection(clean_kafka))
    async with chassis_postgres.connect(settings, MIGRATIONS, QUICK) as db:
        broker = chassis_kafka.broker(settings)
        await broker.start()
        async with background(OutboxRelay(db, broker, QUICK).run()):
            await _publish(db, range(5))
            assert await _versions(clean_kafka, 5) == [0, 1, 2, 3, 4]
            await own_postgres.restart()
            await _publish(db, range(5, 10))
            assert await _versions(clean_kafka, 10) == list(range(10))
        await broker.stop()


async def _until_away(db: chassis_postgres.Database) -> None:
    while True:
        try:
            await db.ping()
        except UnavailableError:
            return


async def test_a_relay_can_be_cancelled_while_the_server_is_dead(own_postgres: Postgres) -> None:
    """A broken connection raises when it is released. The error must not replace the cancellation."""
    settings = settings_for("127.0.0.1:1", own_postgres.dsn)
    async with chassis_postgres.connect(settings, MIGRATIONS, QUICK) as db:
        relay = asyncio.create_task(OutboxRelay(db, chassis_kafka.broker(settings), QUICK).run())
        async with asyncio.timeout(20):
            while not await db.pool.fetchval(  # noqa: ASYNC110 - the condition is the server's
                "select count(*) from pg_locks where locktype = 'advisory' and granted"
            ):
                await asyncio.sleep(0.01)
        own_postgres.kill()
        await _until_away(db)
        relay.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([relay])
        assert relay.cancelled()


async def test_a_connection_that_broke_in_a_transaction_is_an_outage(own_postgres: Postgres) -> None:
    async with chassis_postgres.connect(settings_for("127.0.0.1:1", own_postgres.dsn), MIGRATIONS, QUICK) as db:
        with pytest.raises(UnavailableError) as caught:  # noqa: PT012 - the block is the case
            async with db.transaction() as work:
                own_postgres.kill()
                await _until_away(db)
                await work.connection.execute("select 1")
        assert caught.value.what == "PostgreSQL"


async def _publish(db: chassis_postgres.Database, versions: range) -> None:
    while True:
        try:
            async with db.transaction() as work:
                for version in versions:
                    await work.publish(event(version))
        except UnavailableError:
            continue  # the pool still holds connections to the server that died
        else:
            return


async def _versions(bootstrap: str, count: int) -> list[int]:
    """Read until `count` different events have arrived. Return the versions in the order of their first arrival.

    The outbox delivers at least once: the server may die after Kafka has an event and before its row is deleted.
    """
    consumer = AIOKafkaConsumer(
        ModelRetired.topic, **KafkaConnection(bootstrap).aiokafka(), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            found: dict[int, None] = {}
            while len(found) < count:
                message = await consumer.getone()
                found.setdefault(ModelRetired.model_validate_json(message.value).model_version)
            return list(found)
    finally:
        await consumer.stop()


async def test_migrations_run_once_however_many_replicas_start_together(database: Services, tmp_path: Path) -> None:
    (tmp_path / "001_state.sql").write_text("create table state (value int); insert into state values (1);")
    settings = settings_for("unused:1", await database("registry"))

    async def start() -> int:
        async with chassis_postgres.connect(settings, tmp_path) as db:
            count: int = await db.pool.fetchval("select count(*) from state")
            return count

    assert await asyncio.gather(*(start() for _ in range(4))) == [1, 1, 1, 1]


async def test_an_applied_migration_that_was_changed_is_refused_and_named(database: Services, tmp_path: Path) -> None:
    first = tmp_path / "001_state.sql"
    first.write_text("create table state (value int)")
    settings = settings_for("unused:1", await database("registry"))
    async with chassis_postgres.connect(settings, tmp_path):
        pass
    first.write_text("create table state (value bigint)")
    (tmp_path / "002_more.sql").write_text("create table more (value int)")
    with pytest.raises(MigrationChangedError) as caught:
        async with chassis_postgres.connect(settings, tmp_path):
            pass
    assert (caught.value.service, caught.value.name) == ("registry", "001_state.sql")
    assert "differs from the one that this database has applied" in str(caught.value)
    first.write_text("create table state (value int)")
    async with chassis_postgres.connect(settings, tmp_path) as db:
        assert await db.pool.fetchval("select count(*) from more") == 0


async def test_a_database_that_is_not_in_utf8_is_refused_at_the_start(postgres: str) -> None:
    name = f"ascii_{uuid4().hex[:12]}"
    superuser = await asyncpg.connect(postgres)
    await superuser.execute(
        f"create database {name} encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'"
    )
    try:
        with pytest.raises(DatabaseEncodingError) as caught:
            async with chassis_postgres.connect(
                settings_for("unused:1", f"{postgres.rsplit('/', 1)[0]}/{name}"), MIGRATIONS
            ):
                pass
    finally:
        await superuser.execute(f"drop database {name} with (force)")
        await superuser.close()
    assert (caught.value.database, caught.value.encoding) == (name, "SQL_ASCII")
    advice = "create one with ENCODING 'UTF8' TEMPLATE template0, and name it in RONDO_POSTGRES"
    assert str(caught.value) == f"the database {name} has the encoding SQL_ASCII: {advice}"
