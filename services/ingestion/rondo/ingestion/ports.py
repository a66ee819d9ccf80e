"""What the decisions of ingestion are surrounded by: stores of batches and of landed positions; tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import polars as pl
    import pyarrow as pa

    from rondo.contracts.events.base import Event

Status = Literal["accepted", "rejected"]


@dataclass(frozen=True)
class BatchRecord:
    """What became of a batch. `content` is the digest of its file, `contract` of the specs that it was judged by."""

    dataset: str
    batch_id: str
    content: str
    contract: str
    status: Status
    report: dict[str, Any]


@dataclass(frozen=True)
class Commit:
    """A commit to a table: the version and digest that it made, and what was noted with it."""

    version: int
    digest: str
    notes: Mapping[str, str] = field(default_factory=dict)


class BatchWork(Protocol):
    """An open transaction in which nobody else decides about a batch of the same dataset."""

    async def find(self, batch_id: str) -> BatchRecord | None:
        """Return what became of a batch before."""
        ...

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        """Keep what became of a batch, and say so."""
        ...


class Batches(Protocol):
    """What became of batches."""

    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None:
        """Return what became of a batch."""
        ...

    def deciding(self, dataset: str) -> AbstractAsyncContextManager[BatchWork]:
        """Open a transaction alone on the dataset."""
        ...

    async def unknown(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        """Return which of these batches are not known to be accepted."""
        ...


class Journal(Protocol):
    """How far the logs have landed, and which commits of outcomes have been announced."""

    async def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset by (topic, partition): everything before it is in its table."""
        ...

    async def announced(self) -> Mapping[str, int]:
        """Return the last announced version of each model's table of outcomes."""
        ...

    async def save(
        self,
        positions: Mapping[tuple[str, int], int],
        events: Sequence[tuple[Event, str]],
        announced: Mapping[str, int],
    ) -> None:
        """Save positions and announced versions, and publish events, in one transaction."""
        ...


class Tables(Protocol):
    """The Delta tables. Calls block: they belong on a thread."""

    def append(
        self, name: str, rows: pa.Table | pl.DataFrame, marks: Mapping[str, int], notes: Mapping[str, str]
    ) -> Commit:
        """Append rows in one commit with marks (positions by application id) and notes; adds new columns."""
        ...

    def mark(self, name: str, application: str) -> int | None:
        """Return the position that the table holds for an application id."""
        ...

    def commits(self, name: str, after: int = -1) -> list[Commit]:
        """Return the commits with notes after a version, oldest first; none for a table that does not exist."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the things in a folder of tables."""
        ...
