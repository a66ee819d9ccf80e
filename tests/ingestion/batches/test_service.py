"""A batch on its way into real tables, with a process that dies in between; the store of batches is a fake."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.contracts.events.data import BatchAccepted, BatchRejected
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.submission import Submission
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.errors import BatchConflictError, ReportLostError
from rondo.ingestion.spec_cache import SpecCache

from tests.ingestion.builders import NOW, parquet, rides, spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.ingestion.batches.service import SubmissionResult
    from rondo.ingestion.ports import BatchRecord, Commit


class PowerCutError(Exception):
    """The process dies here."""


@dataclass
class MemoryBatchStore:
    """What became of batches, in memory; `dying` is a process that dies before it can save."""

    records: dict[tuple[str, str], BatchRecord] = field(default_factory=dict)
    said: list[tuple[Event, str]] = field(default_factory=list)
    dying: bool = False

    async def find(self, dataset: str, batch_id: str) -> BatchRecord | None:
        """Return what is known."""
        return self.records.get((dataset, batch_id))

    @asynccontextmanager
    async def deciding(self, dataset: str) -> AsyncIterator[MemoryWork]:
        """Be the only one."""
        yield MemoryWork(self, dataset)

    async def unknown(self, dataset: str, batch_ids: Sequence[str]) -> list[str]:
        """Return what is not known to be accepted."""
        accepted = {key for key, record in self.records.items() if record.status == "accepted"}
        return [batch_id for batch_id in batch_ids if (dataset, batch_id) not in accepted]


@dataclass(frozen=True)
class MemoryWork:
    """The fake's transaction."""

    batches: MemoryBatchStore
    dataset: str

    async def find(self, batch_id: str) -> BatchRecord | None:
        """Return what is known."""
        return await self.batches.find(self.dataset, batch_id)

    async def save(self, record: BatchRecord, event: Event, event_id: str) -> None:
        """Save, or die."""
        if self.batches.dying:
            self.batches.dying = False
            raise PowerCutError
        self.batches.records[record.dataset, record.batch_id] = record
        self.batches.said.append((event, event_id))


class Tables(DeltaTables):
    """Real tables, and a process that dies when it would begin its commit number `dies_at`, from 0."""

    def __init__(self, root: Path, dies_at: int = -1) -> None:
        super().__init__(root)
        self.dies_at = dies_at

    def append(self, name: str, rows: Any, marks: Mapping[str, int], notes: Mapping[str, str]) -> Commit:
        """Append, or die."""
        self.dies_at -= 1
        if self.dies_at == -1:
            raise PowerCutError
        return super().append(name, rows, marks, notes)


def service(tables: DeltaTables, batches: MemoryBatchStore) -> BatchService:
    return BatchService(SpecCache([spec()]), batches, BatchPublisher(tables), clock=lambda: NOW)


def bad_and_good(folder: Path, value: float = -1.0) -> Submission:
    """Return ten rows, of which the first is bad."""
    return submission(rides(10, distance=[value, *[1.0] * 9]), folder)


def submission(frame: pl.DataFrame, folder: Path) -> Submission:
    path = folder / "january"
    path.write_bytes(parquet(frame, folder))
    content = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return Submission("rides", "january", "http", "Parquet", path, content)


def read(folder: Path, table: str) -> pl.DataFrame:
    path = folder / table
    return pl.read_delta(str(path)) if path.exists() else pl.DataFrame()


async def after_a_crash(folder: Path, batches: MemoryBatchStore, batch: Submission) -> SubmissionResult:
    """Start anew, and send the batch again."""
    again = service(DeltaTables(folder), batches)
    await again.recover()
    return await again.submit(batch)


@pytest.mark.parametrize("dies_at", [0, 1, 2])
async def test_a_process_that_dies_anywhere_loses_no_row_and_writes_none_twice(tmp_path: Path, dies_at: int) -> None:
    batches, batch = MemoryBatchStore(dying=dies_at == 2), bad_and_good(tmp_path)
    with pytest.raises(PowerCutError):
        await service(Tables(tmp_path, dies_at), batches).submit(batch)
    answer = await after_a_crash(tmp_path, batches, batch)
    assert answer.record.report["quality"]["quarantined"] == 1
    assert read(tmp_path, "quarantine/rides")["reason"].to_list() == ["distance: below the minimum 0"]
    assert read(tmp_path, "datasets/rides").height == 9
    assert (await after_a_crash(tmp_path, batches, batch)).repeated
    assert len(batches.said) == 1


async def test_what_was_refused_is_judged_anew_when_it_comes_again_and_said_again_only_when_that_changed(
    tmp_path: Path,
) -> None:
    now, batches = [NOW], MemoryBatchStore()
    way_in = BatchService(SpecCache([spec()]), batches, BatchPublisher(DeltaTables(tmp_path)), clock=lambda: now[0])
    batch = submission(rides(10, started=[NOW + timedelta(days=2)] * 10), tmp_path)
    first, second = [await way_in.submit(batch) for _ in range(2)]
    assert (first.repeated, second.repeated, first.record) == (False, True, second.record)
    now[0] += timedelta(days=2)
    assert (await way_in.submit(batch)).record.status == "accepted"
    assert [type(event) for event, _ in batches.said] == [BatchRejected, BatchAccepted]


async def test_the_rows_of_another_file_under_a_taken_id_are_quarantined_nowhere(tmp_path: Path) -> None:
    batches = MemoryBatchStore(dying=True)
    with pytest.raises(PowerCutError):
        await service(DeltaTables(tmp_path), batches).submit(submission(rides(10), tmp_path))
    with pytest.raises(BatchConflictError, match="was accepted before with other content"):
        await service(DeltaTables(tmp_path), batches).submit(bad_and_good(tmp_path))
    assert not (tmp_path / "quarantine").exists()


async def test_a_corrected_file_after_a_crash_has_its_own_bad_rows_quarantined(tmp_path: Path) -> None:
    batches = MemoryBatchStore()
    with pytest.raises(PowerCutError):
        await service(Tables(tmp_path, dies_at=1), batches).submit(bad_and_good(tmp_path, -1.0))
    await service(DeltaTables(tmp_path), batches).submit(bad_and_good(tmp_path, 5_000.0))
    assert sorted(read(tmp_path, "quarantine/rides")["reason"]) == [
        "distance: above the maximum 1000", "distance: below the minimum 0",
    ]  # fmt: skip


async def test_a_batch_whose_report_is_gone_from_the_log_is_answered(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    tables.append("datasets/rides", rides(1), {"batch/january": 1}, {})
    async with asyncio.timeout(10):
        with pytest.raises(ReportLostError) as raised:
            await service(tables, MemoryBatchStore()).submit(bad_and_good(tmp_path))
    assert (raised.value.dataset, raised.value.batch_id) == ("rides", "january")
