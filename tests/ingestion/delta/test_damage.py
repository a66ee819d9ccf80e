"""A table whose log is damaged: an error that names it, and no other table is affected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from prometheus_client import REGISTRY
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.errors import TableDamagedError

from tests.ingestion.delta.damages import DAMAGES, damaged, log_of

if TYPE_CHECKING:
    from pathlib import Path

CALLS = {
    "append": lambda tables: tables.append("t", pa.table({"a": [4]}), {"x": 4}, {}),
    "transaction_version": lambda tables: tables.transaction_version("t", "x"),
    "commits": lambda tables: tables.commits("t"),
    "scan": lambda tables: tables.scan("t"),
    "current": lambda tables: tables.current("t"),
}


def fill(root: Path, names: tuple[str, ...] = ("t", "other")) -> None:
    for name in names:
        for n in range(4):
            DeltaTables(str(root)).append(name, pa.table({"a": [n]}), {"x": n}, {})


def damage_metric() -> float | None:
    return REGISTRY.get_sample_value("rondo_ingestion_damaged_table", {"table": "t"})


@pytest.mark.sampled(3)
@pytest.mark.medium
@pytest.mark.parametrize(
    ("how", "place"),
    # Without its newest commit a table is one of a version before, and nothing in its files shows that.
    [(how, place) for how in DAMAGES for place in (0, 2, 3) if (how, place) != ("missing", 3)],
)
def test_a_damaged_log_is_an_error_of_that_table_alone_until_it_is_restored(
    tmp_path: Path, how: str, place: int
) -> None:
    fill(tmp_path)
    tables, file = DeltaTables(str(tmp_path)), log_of(tmp_path / "t")[place]
    with damaged(file, how):
        for call in CALLS.values():
            with pytest.raises(TableDamagedError) as caught:
                call(tables)
            assert (caught.value.code, caught.value.table) == ("table_damaged", "t")
            assert how == "missing" or file.name in caught.value.why
        assert damage_metric() == 1
        assert tables.transaction_version("other", "x") == 3
        assert len(log_of(tmp_path / "t")) == (3 if how == "missing" else 4), "nothing was written"
    assert tables.append("t", pa.table({"a": [4]}), {"x": 4}, {}).version == 4
    assert damage_metric() is None
    assert sorted(pl.read_delta(str(tmp_path / "t"))["a"]) == [0, 1, 2, 3, 4]


@pytest.mark.medium
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_an_error_of_that_table_alone(tmp_path: Path, how: str) -> None:
    fill(tmp_path)
    DeltaTable(str(tmp_path / "t")).create_checkpoint()
    [checkpoint] = (tmp_path / "t/_delta_log").glob("*.checkpoint.parquet")
    with damaged(checkpoint, how):
        tables = DeltaTables(str(tmp_path))
        with pytest.raises(TableDamagedError):
            tables.current("t")
        assert tables.transaction_version("other", "x") == 3
    assert tables.transaction_version("t", "x") == 3


@pytest.mark.medium
def test_a_lost_file_of_rows_that_become_text_is_an_error_of_that_table(tmp_path: Path) -> None:
    fill(tmp_path)
    tables, file = DeltaTables(str(tmp_path)), next((tmp_path / "t").glob("*.parquet"))
    with damaged(file, "missing"), pytest.raises(TableDamagedError):
        tables.append("t", pa.table({"a": ["calm"]}), {"x": 4}, {})
    tables.append("t", pa.table({"a": ["calm"]}), {"x": 4}, {})
    assert sorted(pl.read_delta(str(tmp_path / "t"))["a"]) == ["0", "1", "2", "3", "calm"]


def test_the_error_says_what_to_do(tmp_path: Path) -> None:
    fill(tmp_path, ("t",))
    file = log_of(tmp_path / "t")[-1]
    with damaged(file, "empty"), pytest.raises(TableDamagedError) as caught:
        DeltaTables(str(tmp_path)).current("t")
    assert str(caught.value) == (
        f"the table t is damaged (_delta_log/{file.name} is empty): restore its files from a backup, or follow "
        "docs/runbooks/damaged-table.md; other tables are not affected"
    )
