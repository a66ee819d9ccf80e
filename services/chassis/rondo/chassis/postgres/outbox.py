"""Publishes the rows of the outbox in the order in which they were written, and deletes them.

Delivery is at least once: after a crash between publish and delete the event is published again with the same
CloudEvents id, and the inbox of a consumer recognises it. Only one relay of a service works at a time (an advisory lock
of the session), so that the order also holds with several replicas. If it hangs, another one continues after
`HUNG_SECONDS`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka.errors import KafkaError

from rondo.chassis import metrics
from rondo.chassis.errors import Backoff
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.pool import end_when_idle, is_broken, terminate
from rondo.chassis.postgres.transaction import NOTIFY_CHANNEL
from rondo.chassis.retry import Retry

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

    from rondo.chassis.postgres.pool import Database

_BATCH = 100
# A notification is lost if its connection breaks, so the table is also polled.
_POLL_SECONDS = 1.0
# asyncpg raises InternalClientError for a query on a connection that breaks.
_PASSING = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, KafkaError, OSError, TimeoutError,
)  # fmt: skip


class OutboxRelay:
    """Moves outbox rows to Kafka."""

    def __init__(self, database: Database, broker: KafkaBroker, backoff: Backoff | None = None) -> None:
        self._database = database
        self._broker = broker
        self._written = asyncio.Event()
        self._retry = Retry("the outbox", _PASSING, backoff or Backoff())

    async def run(self) -> None:
        """Relay until cancelled. While PostgreSQL or Kafka is unavailable the rows stay in the table."""
        await self._retry.call(self._hold_and_relay)

    async def _hold_and_relay(self) -> None:
        async with self._database.pool.acquire() as connection:
            await end_when_idle(connection, pool.HUNG_SECONDS)
            await connection.execute("select pg_advisory_lock(hashtext($1))", f"{self._database.service}.outbox")
            channel = f"{NOTIFY_CHANNEL}_{self._database.service}"
            await connection.add_listener(channel, self._notified)
            try:
                while True:
                    self._written.clear()
                    while await self._relay_batch(connection):
                        pass
                    await self._wait(connection)
            finally:
                # The lock and the listener end with the connection. Releasing them one by one would fail on a broken
                # connection, and this error would replace the original error or a cancellation.
                terminate(connection)

    def _notified(self, *_: object) -> None:
        self._written.set()

    async def _wait(self, connection: asyncpg.pool.PoolConnectionProxy[Any]) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._written.wait()
        except TimeoutError:
            if is_broken(connection):
                message = "the connection that listened was lost"
                raise ConnectionResetError(message) from None

    async def _relay_batch(self, connection: asyncpg.pool.PoolConnectionProxy[Any]) -> int:
        rows = await connection.fetch("select id, topic, key, value, headers from outbox order by id limit $1", _BATCH)
        # The metric is set before publishing, so that it grows while Kafka is unavailable.
        pending = len(rows) if len(rows) < _BATCH else await connection.fetchval("select count(*) from outbox")
        metrics.OUTBOX_PENDING.set(pending)
        for row in rows:
            await self._broker.publish(row["value"], row["topic"], key=row["key"].encode(), headers=row["headers"])
            await connection.execute("delete from outbox where id = $1", row["id"])
            metrics.EVENTS_PUBLISHED.labels(row["topic"]).inc()
            metrics.OUTBOX_PENDING.dec()
        self._retry.progressed()
        return len(rows)
