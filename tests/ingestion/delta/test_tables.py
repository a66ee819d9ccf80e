"""Delta on disk: the order of rows, and failures around a commit."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.table import TableOptimizer
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta import table as delta_table
from rondo.ingestion.delta.tables import DeltaTables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.medium
def test_rows_of_several_chunks_keep_their_order(tmp_path: Path) -> None:
    # delta-rs gives the chunks to several threads: without care about every second table is in another order.
    rows = pa.concat_tables([pa.table({"a": [n] * 5}) for n in range(4)])
    for name in map(str, range(12)):
        DeltaTables(str(tmp_path)).append(name, rows, {"x": 1}, {})
        assert pl.read_delta(str(tmp_path / name))["a"].to_list() == rows["a"].to_pylist()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), DeltaError("no"), DeltaError("")])
@pytest.mark.medium
def test_a_failed_compaction_affects_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    tables, plain = DeltaTables(str(tmp_path / "one"), compact_every=3), DeltaTables(str(tmp_path / "two"))

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(TableOptimizer, "compact", fail)
        versions = [tables.append("t", pa.table({"a": [n]}), {"x": n}, {}).version for n in range(5)]
    assert versions == [0, 1, 2, 3, 4]
    assert [(record.levelname, record.message.split()[0]) for record in caplog.records] == [("WARNING", "t")]
    for n in range(5, 9):
        tables.append("t", pa.table({"a": [n]}), {"x": n}, {})
    for n in range(9):
        plain.append("t", pa.table({"a": [n]}), {"x": n}, {})
    first, second = tables.current("t"), plain.current("t")
    assert first is not None
    assert second is not None
    assert (first.digest, tables.transaction_version("t", "x")) == (second.digest, 8)
    assert first.version > second.version, "it was compacted later"
    assert sorted(pl.read_delta(str(tmp_path / "one" / "t"))["a"]) == list(range(9))


def test_a_commit_is_the_same_version_after_a_restart_also_where_a_compaction_followed(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path), compact_every=2)
    appended = [tables.append("t", pa.table({"a": [n]}), {"x": n}, {"batch_id": str(n)}) for n in range(7)]
    read = [commit for commit in DeltaTables(str(tmp_path)).commits("t") if commit.metadata]
    assert read == appended


def test_a_full_disk_while_a_column_becomes_text_waits_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = DeltaTables(str(tmp_path))
    tables.append("t", pa.table({"a": [1.5]}), {"x": 1}, {})

    def fail(*_: Any, **__: Any) -> None:
        raise DeltaError("Generic LocalFileSystem error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(delta_table, "write_deltalake", fail)
        with pytest.raises(UnavailableError) as caught:
            tables.append("t", pa.table({"a": ["calm"]}), {"x": 2}, {})
    assert [each in caught.value.why for each in ("os error 28", str(tmp_path))] == [True, True]
    assert tables.transaction_version("t", "x") == 1
    tables.append("t", pa.table({"a": ["calm"]}), {"x": 2}, {})
    assert sorted(pl.read_delta(str(tmp_path / "t"))["a"]) == ["1.5", "calm"]


def let_it_age(table: Path, days: int) -> None:
    """Change the log of a table so that it appears to be some days old."""
    written = time.time() - days * 24 * 3600
    for file in (table / "_delta_log").iterdir():
        os.utime(file, (written, written))


@pytest.mark.medium
def test_a_version_can_be_read_for_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(delta_table._PROPERTIES, "delta.checkpointInterval", "20")  # by default 100
    tables = DeltaTables(str(tmp_path), compact_every=1_000)
    for n in range(42):  # Delta clears the log when it makes a checkpoint
        if n in {19, 39}:
            let_it_age(tmp_path / "t", days=3_000)
        tables.append("t", pa.table({"a": [n]}), {"x": n}, {})
    assert len([*(tmp_path / "t" / "_delta_log").glob("*.checkpoint.parquet")]) == 2
    fifth = DeltaTable(str(tmp_path / "t"), version=5).to_pyarrow_table()
    assert sorted(fifth["a"].to_pylist()) == [*range(6)]


@pytest.mark.slow
def test_a_checkpoint_lists_no_file_that_a_compaction_replaced_and_its_versions_can_be_read(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path), compact_every=30)
    for n in range(100):
        tables.append("t", pa.table({"a": [n]}), {"x": n}, {})
    *_, last = sorted((tmp_path / "t" / "_delta_log").glob("*.checkpoint.parquet"))
    checkpoint = pl.read_parquet(last)
    assert checkpoint["remove"].struct.field("path").count() == 0
    assert checkpoint["add"].struct.field("path").count() < 30
    assert DeltaTable(str(tmp_path / "t"), version=20).to_pyarrow_table()["a"].to_pylist() == [*range(20, -1, -1)]
