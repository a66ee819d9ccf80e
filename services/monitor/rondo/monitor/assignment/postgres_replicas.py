"""The replicas and their partition numbers, in PostgreSQL. The list is for people, and no decision depends on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.chassis.errors import Backoff
from rondo.chassis.retry import Retry
from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.stream.partition_numbers import number_of

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.assignment.replica import Replica

_SAVE_SECONDS = 5.0
# A replica that has saved nothing for this time counts as ended.
_SHOWN = timedelta(seconds=20)
_SAVE = """
insert into replicas (replica, numbers) values ($1, $2)
on conflict (replica) do update set numbers = excluded.numbers, seen_at = now()
"""
_FORGET = "delete from replicas where seen_at < now() - interval '1 day'"
_SHOW = "select replica, numbers, seen_at from replicas where seen_at > now() - $1::interval order by replica"
_MODELS = "select model from specs where spec is not null"


class ReplicaView(Value):
    """A replica by its RONDO_REPLICA, its partition numbers in both logs, and the number of models in them."""

    replica: str
    partitions: tuple[int, ...]
    models: int
    seen_at: Utc


class ReplicaList(Value):
    """The replicas of the last 20 seconds. `unassigned` are the numbers that none of them works on."""

    partitions: int
    unassigned: tuple[int, ...]
    replicas: tuple[ReplicaView, ...]


class PostgresReplicas:
    """Saves the numbers of this replica when they change and every few seconds, and lists those of all replicas."""

    def __init__(self, database: Database, name: str, replica: Replica) -> None:
        self._database, self._name, self._replica = database, name, replica

    async def run(self) -> None:
        retry = Retry("the list of replicas", backoff=Backoff(first=0.2))
        while True:
            self._replica.changed.clear()
            await retry.call(self.save)
            await self._changed_or_due()

    async def _changed_or_due(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SAVE_SECONDS):
                await self._replica.changed.wait()

    async def save(self) -> None:
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_FORGET)
            await transaction.connection.execute(_SAVE, self._name, list(self._replica.numbers))

    async def list(self) -> ReplicaList:
        """Return the replicas by name.

        Raises:
            UnavailableError: PostgreSQL is unavailable.

        """
        async with self._database.transaction() as transaction:
            count = await transaction.connection.fetchval("select count(*) from generations")
            rows = await transaction.connection.fetch(_SHOW, _SHOWN)
            models = [number_of(row["model"], count or 1) for row in await transaction.connection.fetch(_MODELS)]
        views = tuple(
            ReplicaView(
                replica=row["replica"],
                partitions=row["numbers"],
                models=sum(models.count(number) for number in row["numbers"]),
                seen_at=row["seen_at"],
            )
            for row in rows
        )
        taken = {number for each in views for number in each.partitions}
        return ReplicaList(partitions=count, unassigned=tuple(sorted(set(range(count)) - taken)), replicas=views)
