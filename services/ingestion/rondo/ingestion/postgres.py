"""The PostgreSQL schema of ingestion: batch records, and the progress of the landing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from rondo.contracts.events.data import BatchAccepted
from rondo.ingestion.ports import BatchRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.base import Event

_FIND = "select dataset, batch_id, content, contract, status, headline from batches where dataset = $1"
_SAVE = """
insert into batches (dataset, batch_id, content, contract, status, headline) values ($1, $2, $3, $4, $5, $6)
on conflict (dataset, batch_id) do update set content = excluded.content, contract = excluded.contract,
status = excluded.status, headline = excluded.headline, decided_at = now() where batches.status = 'rejected'
"""
_WAIT = "insert into uncompared (dataset, batch_id) values ($1, $2) on conflict do nothing"
# A batch that another replica holds is skipped.
_WAITING = """
select dataset, batch_id, headline from uncompared join batches using (dataset, batch_id)
order by accepted_at, dataset, batch_id limit 1 for update of uncompared skip locked
"""
_LANDED = """
insert into landed (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
_ANNOUNCED = """
insert into announced (model, version) values ($1, $2) on conflict (model) do update set version = excluded.version
"""
# The number of connections that may be held while tables are written. The others are for landing, outbox and /readyz.
_WRITING = 4


class PostgresBatchStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        # One lock per dataset, which exists as long as a task holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._writing = asyncio.Semaphore(_WRITING)

    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None:
        async with self._database.transaction() as work:
            return await _find(work, dataset, batch_id)

    @asynccontextmanager
    async def transaction(self, dataset: str) -> AsyncIterator[PostgresBatchTransaction]:
        # The lock of the process comes first, so that a waiting task holds no connection. PostgreSQL's lock is for
        # other replicas.
        lock = self._locks.setdefault(dataset, asyncio.Lock())
        async with lock, self._writing, self._database.transaction() as work:
            await work.connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"ingestion.dataset.{dataset}")
            yield PostgresBatchTransaction(work, dataset)

    async def not_accepted(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        query = "select batch_id from batches where dataset = $1 and status = 'accepted' and batch_id = any($2::text[])"
        async with self._database.transaction() as work:
            known = {row["batch_id"] for row in await work.connection.fetch(query, dataset, list(batch_ids))}
        return [batch_id for batch_id in batch_ids if batch_id not in known]

    async def latest(self, dataset: str, limit: int) -> list[dict[str, Any]]:
        """Return the headlines of the most recent batches, newest first."""
        query = "select headline from batches where dataset = $1 order by decided_at desc, batch_id limit $2"
        async with self._database.transaction() as work:
            return [row["headline"] for row in await work.connection.fetch(query, dataset, limit)]


@dataclass(frozen=True)
class PostgresBatchTransaction:
    """A transaction that holds the lock of a dataset."""

    work: Transaction
    dataset: str

    async def find(self, batch_id: str) -> BatchRecord | None:
        return await _find(self.work, self.dataset, batch_id)

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        await self.work.connection.execute(
            _SAVE, record.dataset, record.batch_id, record.content, record.contract, record.status, record.headline
        )
        if record.status == "accepted":
            await self.work.connection.execute(_WAIT, record.dataset, record.batch_id)
        await self.work.publish(event, event_id)


async def _find(work: Transaction, dataset: str, batch_id: str) -> BatchRecord | None:
    row = await work.connection.fetchrow(f"{_FIND} and batch_id = $2", dataset, batch_id)
    return BatchRecord(**dict(row)) if row else None


@dataclass(frozen=True)
class PostgresLandingStore:
    database: Database

    async def positions(self) -> Mapping[tuple[str, int], int]:
        async with self.database.transaction() as work:
            rows = await work.connection.fetch("select topic, partition, next_offset from landed")
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def announced(self) -> Mapping[str, int]:
        async with self.database.transaction() as work:
            rows = await work.connection.fetch("select model, version from announced")
        return {row["model"]: row["version"] for row in rows}

    async def save(
        self,
        positions: Mapping[tuple[str, int], int],
        events: Sequence[tuple[Event, str]],
        announced: Mapping[str, int],
    ) -> None:
        async with self.database.transaction() as work:
            await work.connection.executemany(_LANDED, [(*place, offset) for place, offset in positions.items()])
            await work.connection.executemany(_ANNOUNCED, list(announced.items()))
            for event, event_id in events:
                await work.publish(event, event_id)


@dataclass(frozen=True)
class PostgresComparisonStore:
    database: Database

    @asynccontextmanager
    async def next_batch(self) -> AsyncIterator[PostgresWaitingBatch | None]:
        async with self.database.transaction() as work:
            row = await work.connection.fetchrow(_WAITING)
            yield PostgresWaitingBatch(work, BatchAccepted.model_validate(row["headline"])) if row else None


@dataclass(frozen=True)
class PostgresWaitingBatch:
    """A batch whose row is locked until the transaction ends."""

    work: Transaction
    batch: BatchAccepted

    async def done(self, events: Sequence[tuple[Event, str]]) -> None:
        query = "delete from uncompared where dataset = $1 and batch_id = $2"
        await self.work.connection.execute(query, self.batch.dataset, self.batch.batch_id)
        for event, event_id in events:
            await self.work.publish(event, event_id)
