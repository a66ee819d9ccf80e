"""Fakes: batch records in memory, and Delta tables of a process that crashes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.ingestion.delta.tables import DeltaTables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.contracts.events.base import Event
    from rondo.ingestion.ports import BatchRecord, Commit


class PowerCutError(Exception):
    """The process crashes here."""


@dataclass
class MemoryBatchStore:
    """Batch records in memory.

    With `dying`, the process dies before the next save. A record of an id in `refused` can't be saved.
    """

    records: dict[tuple[str, str], BatchRecord] = field(default_factory=dict)
    announced: list[tuple[Event, str]] = field(default_factory=list)
    dying: bool = False
    refused: frozenset[str] = frozenset()

    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None:
        return self.records.get((dataset, batch_id))

    @asynccontextmanager
    async def transaction(self, dataset: str) -> AsyncIterator[MemoryBatchTransaction]:
        yield MemoryBatchTransaction(self, dataset)

    async def not_accepted(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        accepted = {key for key, record in self.records.items() if record.status == "accepted"}
        return [batch_id for batch_id in batch_ids if (dataset, batch_id) not in accepted]

    async def latest(self, dataset: str, limit: int) -> list[dict[str, Any]]:
        found = [record.headline for (name, _), record in self.records.items() if name == dataset]
        return found[::-1][:limit]


@dataclass(frozen=True)
class MemoryBatchTransaction:
    """A transaction of `MemoryBatchStore`."""

    batches: MemoryBatchStore
    dataset: str

    async def find(self, batch_id: str) -> BatchRecord | None:
        return await self.batches.find(self.dataset, batch_id)

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        if self.batches.dying:
            self.batches.dying = False
            raise PowerCutError
        if record.batch_id in self.batches.refused:
            raise ValueError("unsupported Unicode escape sequence")
        self.batches.records[record.dataset, record.batch_id] = record
        self.batches.announced.append((event, event_id))


class DyingTables(DeltaTables):
    """Real tables of a process that crashes before its commit number `dies_at`, counted from 0."""

    def __init__(self, root: str, dies_at: int = -1) -> None:
        super().__init__(root)
        self.dies_at = dies_at

    def append(self, name: str, rows: Any, transactions: Mapping[str, int], metadata: Mapping[str, str]) -> Commit:
        self.dies_at -= 1
        if self.dies_at == -1:
            raise PowerCutError
        return super().append(name, rows, transactions, metadata)
