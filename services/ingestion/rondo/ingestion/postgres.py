"""Ingestion's own schema: batches and what became of them, and how far the logs have landed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from rondo.ingestion.ports import BatchRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.base import Event

_FIND = "select dataset, batch_id, content, contract, status, report from batches where dataset = $1"
_SAVE = """
insert into batches (dataset, batch_id, content, contract, status, report) values ($1, $2, $3, $4, $5, $6)
on conflict (dataset, batch_id) do update set content = excluded.content, contract = excluded.contract,
status = excluded.status, report = excluded.report, decided_at = now() where batches.status = 'rejected'
"""
_LANDED = """
insert into landed (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
_ANNOUNCED = """
insert into announced (model, version) values ($1, $2) on conflict (model) do update set version = excluded.version
"""
# Connections that may be held while tables are written; the landing, the outbox and /readyz live on the pool's others.
_WRITING = 4


class PostgresBatches:
    """What became of batches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # One lock a dataset, as long as somebody waits for it or holds it.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._writing = asyncio.Semaphore(_WRITING)

    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None:
        """Return what became of a batch."""
        async with self._database.transaction() as work:
            return await _find(work, dataset, batch_id)

    @asynccontextmanager
    async def deciding(self, dataset: str) -> AsyncIterator[PostgresBatchWork]:
        """Open a transaction alone on the dataset: whoever comes second waits, and then sees what the first saved.

        It waits without a connection. The lock in PostgreSQL is for other replicas.
        """
        turn = self._turns.setdefault(dataset, asyncio.Lock())
        async with turn, self._writing, self._database.transaction() as work:
            await work.connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"ingestion.dataset.{dataset}")
            yield PostgresBatchWork(work, dataset)

    async def unknown(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        """Return which of these batches are not known to be accepted."""
        query = "select batch_id from batches where dataset = $1 and status = 'accepted' and batch_id = any($2::text[])"
        async with self._database.transaction() as work:
            known = {row["batch_id"] for row in await work.connection.fetch(query, dataset, list(batch_ids))}
        return [batch_id for batch_id in batch_ids if batch_id not in known]

    async def latest(self, dataset: str, limit: int) -> list[dict[str, Any]]:
        """Return the reports of the batches decided last, newest first."""
        query = "select report from batches where dataset = $1 order by decided_at desc, batch_id limit $2"
        async with self._database.transaction() as work:
            return [row["report"] for row in await work.connection.fetch(query, dataset, limit)]


@dataclass(frozen=True)
class PostgresBatchWork:
    """A transaction alone on a dataset."""

    work: Transaction
    dataset: str

    async def find(self, batch_id: str) -> BatchRecord | None:
        """Return what became of a batch before."""
        return await _find(self.work, self.dataset, batch_id)

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        """Keep what became of a batch, and say so."""
        await self.work.connection.execute(
            _SAVE, record.dataset, record.batch_id, record.content, record.contract, record.status, record.report
        )
        await self.work.publish(event, event_id)


async def _find(work: Transaction, dataset: str, batch_id: str) -> BatchRecord | None:
    row = await work.connection.fetchrow(f"{_FIND} and batch_id = $2", dataset, batch_id)
    return BatchRecord(**dict(row)) if row else None


@dataclass(frozen=True)
class PostgresJournal:
    """How far the logs have landed, and which commits of outcomes have been announced."""

    database: Database

    async def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset by (topic, partition)."""
        async with self.database.transaction() as work:
            rows = await work.connection.fetch("select topic, partition, next_offset from landed")
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def announced(self) -> Mapping[str, int]:
        """Return the last announced version by model."""
        async with self.database.transaction() as work:
            rows = await work.connection.fetch("select model, version from announced")
        return {row["model"]: row["version"] for row in rows}

    async def save(
        self,
        positions: Mapping[tuple[str, int], int],
        events: Sequence[tuple[Event, str]],
        announced: Mapping[str, int],
    ) -> None:
        """Save positions and announced versions, and publish events, in one transaction."""
        async with self.database.transaction() as work:
            await work.connection.executemany(_LANDED, [(*place, offset) for place, offset in positions.items()])
            await work.connection.executemany(_ANNOUNCED, list(announced.items()))
            for event, event_id in events:
                await work.publish(event, event_id)
