"""The root of the tables as a folder and as a URL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta import location, table
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.settings import IngestionSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_and_its_url_hold_the_same_tables(tmp_path: Path) -> None:
    root = tmp_path / "my data ü*"
    by_url, by_path = DeltaTables(root.as_uri()), DeltaTables(str(root))
    assert by_url.names("datasets") == []
    for name in ("datasets/rides", "datasets/flights"):
        by_url.append(name, pa.table({"a": [1, 2]}), {"batch/x": 1}, {"batch_id": "x"})
    assert by_path.names("datasets") == by_url.names("datasets") == ["flights", "rides"]
    assert by_path.transaction_version("datasets/rides", "batch/x") == 1
    assert by_path.commits("datasets/rides") == by_url.commits("datasets/rides")
    rows = by_path.scan("datasets/rides")
    assert rows is not None
    assert rows.collect()["a"].to_list() == [1, 2]
    assert by_path.scan("datasets/other") is None


def test_an_object_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    # Both libraries try ten times, and wait longer from time to time. No environment variable changes it.
    monkeypatch.setattr(table, "DeltaTable", partial(table.DeltaTable, storage_options={"max_retries": "0"}))
    monkeypatch.setattr(location, "from_url", partial(location.from_url, retry_config={"max_retries": 0}))
    tables = DeltaTables("s3://bucket/data")
    with pytest.raises(UnavailableError):
        tables.append("t", pa.table({"a": [1]}), {}, {})
    with pytest.raises(UnavailableError):
        tables.transaction_version("t", "x")
    with pytest.raises(UnavailableError):
        tables.names("datasets")


def test_batches_are_spooled_on_the_disk_of_the_data_or_in_the_configured_folder(tmp_path: Path) -> None:
    values = {"kafka": "none:1", "http_port": 0, "postgres": "postgresql://x", "artifacts": "x"}
    local = IngestionSettings.model_validate(values | {"data": str(tmp_path)})
    assert local.spool_folder == tmp_path / ".spool"
    remote = IngestionSettings.model_validate(values | {"data": "s3://bucket/data"})
    assert remote.spool_folder.is_absolute()
    named = IngestionSettings.model_validate(values | {"data": "s3://bucket/data", "spool": "/spool"})
    assert str(named.spool_folder) == "/spool"
