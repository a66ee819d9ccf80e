"""The protocols that ingestion's logic needs: batch records, landing progress and Delta tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import polars as pl
    import pyarrow as pa

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.data import BatchAccepted

Status = Literal["accepted", "rejected"]


@dataclass(frozen=True)
class BatchRecord:
    """The result of a batch.

    `content` is the digest of its file, `contract` that of the specs that validated it. `headline` is the short report
    as JSON values.
    """

    dataset: str
    batch_id: str
    content: str
    contract: str
    status: Status
    headline: dict[str, Any]


@dataclass(frozen=True)
class Commit:
    """A commit to a Delta table: its version, the content digest at that version, and its metadata."""

    version: int
    digest: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class BatchTransaction(Protocol):
    """An open transaction that holds the lock of one dataset: no other process decides about its batches."""

    async def find(self, batch_id: str) -> BatchRecord | None: ...

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        """Store the record and add the event to the outbox."""
        ...


class BatchStore(Protocol):
    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None: ...

    def transaction(self, dataset: str) -> AbstractAsyncContextManager[BatchTransaction]:
        """Open a transaction that holds the lock of the dataset. A second caller waits until it ends."""
        ...

    async def not_accepted(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        """Return the batches that have no record as accepted."""
        ...


class WaitingBatch(Protocol):
    """An accepted batch that is not yet compared with the served values."""

    @property
    def batch(self) -> BatchAccepted: ...

    async def done(self, events: Sequence[tuple[Event, str]]) -> None:
        """Add the events to the outbox. The batch no longer waits."""
        ...


class ComparisonStore(Protocol):
    def next_batch(self) -> AbstractAsyncContextManager[WaitingBatch | None]:
        """Lock the oldest waiting batch that no other process holds, in a transaction. None if there is none."""
        ...


class ReportStore(Protocol):
    """Stores documents under their digest."""

    async def put(self, content: bytes) -> str:
        """Store a document and return its digest. Storing the same document again changes nothing."""
        ...

    async def get(self, digest: str) -> bytes: ...


class LandingStore(Protocol):
    """Progress of the landing: the next offset of each partition, and the announced commits of outcomes."""

    async def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset by (topic, partition). Every earlier row is in its table."""
        ...

    async def announced(self) -> Mapping[str, int]:
        """Return the last announced version of each model's outcomes table."""
        ...

    async def save(
        self,
        positions: Mapping[tuple[str, int], int],
        events: Sequence[tuple[Event, str]],
        announced: Mapping[str, int],
    ) -> None:
        """Save positions and announced versions, and add the events to the outbox, in one transaction."""
        ...


class Tables(Protocol):
    """The Delta tables. Calls block: run them on a thread.

    Each method with the name of a table raises TableDamagedError if files of the table are damaged or lost, and
    UnavailableError if the storage is unavailable.
    """

    def append(
        self,
        name: str,
        rows: pa.Table | pl.DataFrame,
        transactions: Mapping[str, int],
        metadata: Mapping[str, str],
    ) -> Commit:
        """Append rows in one commit, and add columns that the table lacks.

        `transactions` are the table's transaction identifiers (Delta protocol: application id to version).
        """
        ...

    def transaction_version(self, name: str, application: str) -> int | None:
        """Return the version that the table holds for an application id."""
        ...

    def commits(self, name: str, after: int = -1) -> list[Commit]:
        """Return the commits after a version, oldest first. An empty list if there is no such table."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the tables, or folders of tables, in a folder."""
        ...

    def scan(self, name: str) -> pl.LazyFrame | None:
        """Return a table as a lazy frame. None if it does not exist."""
        ...
