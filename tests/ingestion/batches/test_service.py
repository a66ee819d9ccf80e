"""Batches are written to real tables, with crashes of the process in between. The store of batches is a fake."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.exceptions import PanicException
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.data import BatchAccepted, BatchRejected
from rondo.ingestion.batches import service as batch_service
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.spool import SpooledFile
from rondo.ingestion.batches.submission import Submission
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.errors import BatchConflictError, ReportLostError, TableDamagedError
from rondo.ingestion.spec_cache import SpecCache

from tests.ingestion.builders import NOW, declared_rides, parquet, rides, spec
from tests.ingestion.delta.damages import DAMAGES, damaged, log_of
from tests.ingestion.fakes import DyingTables, MemoryBatchStore, PowerCutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from rondo.contracts.batch_files.formats import FileFormat
    from rondo.ingestion.batches.service import SubmissionResult

    Clock = Callable[[], datetime]


def service(
    tables: DeltaTables,
    folder: Path,
    batches: MemoryBatchStore | None = None,
    clock: Clock = lambda: NOW,
    specs: SpecCache | None = None,
) -> BatchService:
    reports = Artifacts(str(folder / "artifacts"))
    return BatchService(
        specs or SpecCache([spec()]), batches or MemoryBatchStore(), BatchPublisher(tables), reports, clock=clock
    )


def bad_and_good(folder: Path, value: float = -1.0) -> Submission:
    """Return ten rows, of which the first is invalid."""
    return submission(rides(10, distance=[value, *[1.0] * 9]), folder)


def submission(frame: pl.DataFrame, folder: Path, batch_id: str = "january") -> Submission:
    return of_bytes(parquet(frame, folder), folder, "Parquet", batch_id)


def of_table(table: pa.Table, folder: Path) -> Submission:
    pq.write_table(table, folder / "table.parquet")
    return of_bytes((folder / "table.parquet").read_bytes(), folder)


def of_bytes(
    content: bytes, folder: Path, file_format: FileFormat = "Parquet", batch_id: str = "january"
) -> Submission:
    path = folder / batch_id
    path.write_bytes(content)
    file = SpooledFile(path, f"sha256:{hashlib.sha256(content).hexdigest()}")
    return Submission("rides", batch_id, "http", file_format, file)


def read(folder: Path, table: str) -> pl.DataFrame:
    path = folder / table
    return pl.read_delta(str(path)) if path.exists() else pl.DataFrame()


async def after_a_crash(folder: Path, batches: MemoryBatchStore, batch: Submission) -> SubmissionResult:
    """Restart the service, and send the batch again."""
    again = service(DeltaTables(str(folder)), folder, batches)
    await again.recover()
    return await again.submit(batch)


@pytest.mark.medium
@pytest.mark.parametrize("dies_at", [0, 1, 2])
async def test_a_process_that_dies_anywhere_loses_no_row_and_writes_none_twice(tmp_path: Path, dies_at: int) -> None:
    batches, batch = MemoryBatchStore(dying=dies_at == 2), bad_and_good(tmp_path)
    with pytest.raises(PowerCutError):
        await service(DyingTables(str(tmp_path), dies_at), tmp_path, batches).submit(batch)
    result = await after_a_crash(tmp_path, batches, batch)
    assert result.record.headline["rows"]["quarantined"] == 1
    [reason] = read(tmp_path, "quarantine/rides")["reason"]
    assert re.fullmatch("distance: .* minimum 0", reason)
    assert read(tmp_path, "datasets/rides").height == 9
    assert (await after_a_crash(tmp_path, batches, batch)).repeated
    assert len(batches.announced) == 1


async def test_a_declared_dataset_takes_batches_without_a_model_and_labels_that_come_later(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    ingestion = service(tables, tmp_path, specs=SpecCache(datasets=[declared_rides()]))
    first = await ingestion.submit(submission(rides(10).drop("tipped"), tmp_path))
    later = await ingestion.submit(submission(rides(10, distance=[-1.0, *[1.0] * 9]), tmp_path, "february"))
    assert [each.record.headline["rows"]["accepted"] for each in (first, later)] == [10, 9]
    found = read(tmp_path, "datasets/rides").sort("batch_id", "ride")
    assert found["tipped"].to_list() == [*(n % 2 for n in range(1, 10)), *[None] * 10]
    assert found.schema["tipped"] == pl.Int64


async def test_a_row_without_the_time_since_which_it_is_known_is_quarantined(tmp_path: Path) -> None:
    specs = SpecCache(datasets=[declared_rides(known_at="sent")])
    sent = pl.Series("sent", [None, *[NOW] * 9], pl.Datetime("us", "UTC"))
    result = await service(DeltaTables(str(tmp_path)), tmp_path, specs=specs).submit(
        submission(rides(10).with_columns(sent), tmp_path)
    )
    assert result.record.headline["rows"]["quarantined"] == 1
    assert read(tmp_path, "datasets/rides")["sent"].to_list() == [NOW] * 9


async def test_a_model_with_narrower_limits_rejects_no_row_of_a_declared_dataset(tmp_path: Path) -> None:
    narrow = spec(distance={"type": "float", "max": 3})
    for name, datasets, accepted in (("union", [], 4), ("declared", [declared_rides()], 5)):
        specs = SpecCache([narrow], datasets)
        folder = tmp_path / name
        folder.mkdir()
        result = await service(DeltaTables(str(folder)), folder, specs=specs).submit(submission(rides(5), folder))
        assert result.record.headline["rows"]["accepted"] == accepted


async def test_a_changed_declaration_is_what_a_rejected_batch_is_validated_by(tmp_path: Path) -> None:
    specs, batches = SpecCache(datasets=[declared_rides({"wind": {"type": "float"}})]), MemoryBatchStore()
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, batches, specs=specs)
    batch = submission(rides(5), tmp_path)
    rejected = await ingestion.submit(batch)
    assert rejected.record.status == "rejected"
    specs.put_dataset(declared_rides({"wind": {"type": "float", "optional": True}}), 2)
    assert (await ingestion.submit(batch)).record.status == "accepted"


async def test_a_label_that_is_declared_in_another_type_is_text_for_old_rows_and_new(tmp_path: Path) -> None:
    """The trainer reads 1 and true alike."""
    specs = SpecCache([spec()])
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, specs=specs)
    await ingestion.submit(submission(rides(2), tmp_path))
    specs.put_dataset(declared_rides({"tipped": {"type": "bool"}}), 1)
    await ingestion.submit(submission(rides(2, 2), tmp_path, "february"))
    assert read(tmp_path, "datasets/rides").sort("ride")["tipped"].to_list() == ["0", "1", "false", "true"]


async def test_rows_are_identified_by_all_columns_of_the_entity(tmp_path: Path) -> None:
    several = declared_rides(entity=["ride", "leg"])
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, specs=SpecCache(datasets=[several]))
    same = rides(6, ride=["a"] * 6, started=[rides(1)["started"][0]] * 6, leg=["1", "2", "3", "4", "5", "5"])
    result = await ingestion.submit(submission(same, tmp_path))
    [reason] = read(tmp_path, "quarantine/rides")["reason"]
    assert result.record.headline["rows"]["accepted"] == 5
    assert {"ride", "leg", "started"} <= {*reason.replace(":", " ").split()}


async def test_the_values_of_an_entity_may_be_listed(tmp_path: Path) -> None:
    listed = declared_rides({"ride": {"type": "category", "values": ["r0", "r1", "r2", "r3", "r4"]}})
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, specs=SpecCache(datasets=[listed]))
    await ingestion.submit(submission(rides(6), tmp_path))
    assert read(tmp_path, "datasets/rides")["ride"].to_list() == ["r0", "r1", "r2", "r3", "r4"]


async def test_a_rejected_batch_is_validated_again_and_announced_again_only_if_the_result_changed(
    tmp_path: Path,
) -> None:
    now, batches = [NOW], MemoryBatchStore()
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, batches, lambda: now[0])
    batch = submission(rides(10, started=[NOW + timedelta(days=2)] * 10), tmp_path)
    first, second = [await ingestion.submit(batch) for _ in range(2)]
    assert (first.repeated, second.repeated, first.record) == (False, True, second.record)
    now[0] += timedelta(days=2)
    assert (await ingestion.submit(batch)).record.status == "accepted"
    assert [type(event) for event, _ in batches.announced] == [BatchRejected, BatchAccepted]


async def test_the_rows_of_another_file_under_a_taken_id_are_not_quarantined(tmp_path: Path) -> None:
    batches = MemoryBatchStore(dying=True)
    with pytest.raises(PowerCutError):
        await service(DeltaTables(str(tmp_path)), tmp_path, batches).submit(submission(rides(10), tmp_path))
    with pytest.raises(BatchConflictError):
        await service(DeltaTables(str(tmp_path)), tmp_path, batches).submit(bad_and_good(tmp_path))
    assert not (tmp_path / "quarantine").exists()


async def test_a_corrected_file_after_a_crash_has_its_own_invalid_rows_quarantined(tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        await service(DyingTables(str(tmp_path), dies_at=1), tmp_path).submit(bad_and_good(tmp_path, -1.0))
    await service(DeltaTables(str(tmp_path)), tmp_path).submit(bad_and_good(tmp_path, 5_000.0))
    reasons = sorted(read(tmp_path, "quarantine/rides")["reason"])
    assert [re.findall("^distance|m[a-z]+imum [0-9,]+$", reason) for reason in reasons] == [
        ["distance", "maximum 1,000"], ["distance", "minimum 0"],
    ]  # fmt: skip


async def test_a_batch_whose_report_is_missing_is_answered(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    tables.append("datasets/rides", rides(1), {"batch/january": 1}, {})
    async with asyncio.timeout(10):
        with pytest.raises(ReportLostError) as raised:
            await service(tables, tmp_path).submit(bad_and_good(tmp_path))
    assert (raised.value.dataset, raised.value.batch_id) == ("rides", "january")


@pytest.mark.medium
async def test_the_full_report_is_stored_under_the_digest_that_the_event_names(tmp_path: Path) -> None:
    names = [f"{'f' * 58}{n:05d}" for n in range(300)]
    specs = SpecCache([spec(**{name: {"type": "float", "min": 0} for name in names})])
    batches, reports = MemoryBatchStore(), Artifacts(str(tmp_path / "artifacts"))
    ingestion = BatchService(specs, batches, BatchPublisher(DeltaTables(str(tmp_path))), reports, clock=lambda: NOW)
    batch = submission(rides(10, **{name: [-1.0, *[1.5] * 9] for name in names}), tmp_path)
    await ingestion.submit(batch)
    await ingestion.submit(submission(rides(10), tmp_path, "february"))
    accepted, rejected = [event for event, _ in batches.announced]
    assert isinstance(accepted, BatchAccepted)
    assert isinstance(rejected, BatchRejected)
    assert len(accepted.model_dump_json()) < 1_000
    report = orjson.loads(await reports.get(accepted.report))
    assert (len(report["quality"]["columns"]), len(report["quality"]["reasons"])) == (308, 300)
    assert len(rejected.reasons) == 21
    assert "280 more" in rejected.reasons[-1]
    assert len(orjson.loads(await reports.get(rejected.report))["reasons"]) == 300


@pytest.mark.medium
@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"\xff"] * 10),
        pa.array([[1]] * 10, pa.list_view(pa.int64())),
        pa.array([Decimal(10**49)] * 10, pa.decimal256(50, 0)),
        pa.array([0] * 10, pa.timestamp("us", "+05:30")),
        pa.array([{"x": [b"\xff"]}] * 10),
        pa.array([0] * 10, pa.duration("us")),
    ],
    ids=lambda column: str(column.type),
)
async def test_a_column_that_no_contract_names_stops_nothing(tmp_path: Path, column: pa.Array) -> None:
    table = rides(10, distance=[-1.0, *[1.0] * 9]).to_arrow().append_column("extra", column)
    result = await service(DeltaTables(str(tmp_path)), tmp_path).submit(of_table(table, tmp_path))
    assert result.record.headline["rows"] == {"total": 10, "accepted": 9, "quarantined": 1}
    assert read(tmp_path, "quarantine/rides").height == 1


async def test_event_times_with_an_offset_as_their_zone_are_accepted(tmp_path: Path) -> None:
    table = rides(10).to_arrow()
    at = table.column_names.index("started")
    offset = table.column(at).cast(pa.timestamp("us", "+05:30"))
    result = await service(DeltaTables(str(tmp_path)), tmp_path).submit(
        of_table(table.set_column(at, "started", offset), tmp_path)
    )
    assert result.record.status == "accepted"
    assert read(tmp_path, "datasets/rides")["started"].sort().to_list() == rides(10)["started"].to_list()


async def test_a_panic_of_polars_rejects_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_: object) -> None:
        raise PanicException("not yet implemented")

    monkeypatch.setattr(batch_service, "decide", panic)
    result = await service(DeltaTables(str(tmp_path)), tmp_path).submit(submission(rides(10), tmp_path))
    assert result.record.status == "rejected"
    assert "not yet implemented" in result.record.headline["reasons"][0]


async def test_nul_characters_are_quarantined_and_reported_as_text_that_can_be_stored(tmp_path: Path) -> None:
    frame = rides(10, ride=["r\x000", *[f"r{n}" for n in range(1, 10)]]).with_columns(
        pl.lit(1).alias("ex\x00tra"), pl.lit(1).alias("spare")
    )
    batches = MemoryBatchStore()
    result = await service(DeltaTables(str(tmp_path)), tmp_path, batches).submit(submission(frame, tmp_path))
    assert result.record.headline["rows"]["quarantined"] == 1
    reports = Artifacts(str(tmp_path / "artifacts"))
    report = orjson.loads(await reports.get(result.record.headline["report"]))
    assert [re.findall("column ('.*') ", note) for note in report["notes"]] == [[repr("ex\x00tra")], [repr("spare")]]
    assert report["dropped_columns"] == ["spare"]


async def test_a_batch_that_cannot_be_recorded_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for batch_id in ("january", "february"):
        with pytest.raises(PowerCutError):
            await service(DeltaTables(str(tmp_path)), tmp_path, MemoryBatchStore(dying=True)).submit(
                submission(rides(10), tmp_path, batch_id)
            )
    batches = MemoryBatchStore(refused=frozenset({"january"}))
    await service(DeltaTables(str(tmp_path)), tmp_path, batches).recover()
    assert list(batches.records) == [("rides", "february")]
    assert [record.args[0] for record in caplog.records if record.args] == ["january"]


@pytest.mark.sampled(1)
@pytest.mark.medium
@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_table_does_not_stop_the_start(tmp_path: Path, how: str) -> None:
    specs = SpecCache([spec(), spec("sails", "boats")])
    for dataset in ("boats", "rides"):
        for batch_id in ("january", "february"):
            tables = DeltaTables(str(tmp_path))
            with pytest.raises(PowerCutError):
                await service(tables, tmp_path, MemoryBatchStore(dying=True), specs=specs).submit(
                    replace(submission(rides(10), tmp_path, batch_id), dataset=dataset)
                )
    batches = MemoryBatchStore()
    again = service(DeltaTables(str(tmp_path)), tmp_path, batches, specs=specs)
    with damaged(log_of(tmp_path / "datasets/boats")[0], how):
        await again.recover()
        assert list(batches.records) == [("rides", "january"), ("rides", "february")]
        with pytest.raises(TableDamagedError):
            await again.submit(replace(submission(rides(10), tmp_path, "march"), dataset="boats"))
        assert (await again.submit(submission(rides(10), tmp_path, "march"))).record.status == "accepted"
    await again.recover()
    assert ("boats", "january") in batches.records


@pytest.mark.medium
async def test_the_newest_quarantined_rows_are_first(tmp_path: Path) -> None:
    now, tables = [NOW], DeltaTables(str(tmp_path))
    ingestion = service(tables, tmp_path, clock=lambda: now[0])
    for number in range(5):
        batch = submission(rides(10, distance=[-1.0, *[1.0] * 9]), tmp_path, f"batch-{number}")
        await ingestion.submit(batch)
        now[0] += timedelta(seconds=1)
    publisher = BatchPublisher(tables)
    assert [row["batch_id"] for row in publisher.quarantined("rides", 2)] == ["batch-4", "batch-3"]
    assert [row["batch_id"] for row in publisher.quarantined("rides", 2, "batch-1")] == ["batch-1"]
    assert publisher.quarantined("other", 1) == []


@pytest.mark.medium
async def test_a_label_of_another_task_makes_the_column_text_which_loses_no_row(tmp_path: Path) -> None:
    """The task of a dataset's model changes, and 0 and 1 become the classes "0" and "1"."""
    specs, tables = SpecCache([spec()]), DeltaTables(str(tmp_path))
    ingestion = service(tables, tmp_path, specs=specs)
    await ingestion.submit(submission(rides(4), tmp_path))
    before = tables.current("datasets/rides")
    specs.put(spec(task="multiclass"), 1)
    await ingestion.submit(submission(rides(2, start=4, tipped=["oak", "1"]), tmp_path, "february"))
    specs.put(spec(task="regression"), 2)
    numbers = rides(3, start=6, tipped=[0.1, 12345678901.0, -1e30])
    await ingestion.submit(submission(numbers, tmp_path, "march"))
    table = read(tmp_path, "datasets/rides").sort("started")
    assert table["tipped"].to_list() == ["0", "1", "0", "1", "oak", "1", "0.1", "12345678901", "-1e+30"]
    assert table["batch_id"].to_list() == ["january"] * 4 + ["february"] * 2 + ["march"] * 3
    assert table.drop("tipped", "batch_id").equals(pl.concat([rides(4), rides(2, 4), rides(3, 6)]).drop("tipped"))
    assert before is not None
    january = pl.read_delta(str(tmp_path / "datasets/rides"), version=before.version)
    assert january["tipped"].to_list() == [0.0, 1.0, 0.0, 1.0], "a data version never changes"
    reopened = DeltaTables(str(tmp_path))
    assert all(reopened.transaction_version("datasets/rides", f"batch/{name}") for name in ("january", "march"))


async def test_a_batch_for_a_task_of_a_newer_release_is_rejected_and_accepted_after_an_upgrade(tmp_path: Path) -> None:
    specs, batches = SpecCache([spec(task="ranking")]), MemoryBatchStore()
    ingestion = service(DeltaTables(str(tmp_path)), tmp_path, batches, specs=specs)
    first = await ingestion.submit(submission(rides(4), tmp_path))
    [reason] = first.record.headline["reasons"]
    assert "task 'ranking'" in reason
    assert ": upgrade ingestion," in reason
    specs.put(spec(), 1)
    assert (await ingestion.submit(submission(rides(4), tmp_path))).record.status == "accepted"
    assert [type(event) for event, _ in batches.announced] == [BatchRejected, BatchAccepted]
