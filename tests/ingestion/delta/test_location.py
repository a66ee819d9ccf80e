"""The root of the tables as a folder and as a URL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.settings import IngestionSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_RETRIES": "0", "AWS_RETRY_TIMEOUT": "1s",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    tables = DeltaTables("s3://bucket/data")
    # Each tries ten times: all at once.
    with ThreadPoolExecutor() as threads:
        calls = [
            threads.submit(tables.append, "t", pa.table({"a": [1]}), {}, {}),
            threads.submit(tables.transaction_version, "t", "x"),
            threads.submit(tables.names, "datasets"),
        ]
    assert [type(call.exception()) for call in calls] == [UnavailableError] * 3


def test_batches_are_spooled_on_the_disk_of_the_data_or_in_the_configured_folder(tmp_path: Path) -> None:
    values = {"kafka": "none:1", "http_port": 0, "postgres": "postgresql://x", "artifacts": "x"}
    local = IngestionSettings.model_validate(values | {"data": str(tmp_path)})
    assert local.spool_folder == tmp_path / ".spool"
    remote = IngestionSettings.model_validate(values | {"data": "s3://bucket/data"})
    assert remote.spool_folder.is_absolute()
    named = IngestionSettings.model_validate(values | {"data": "s3://bucket/data", "spool": "/spool"})
    assert str(named.spool_folder) == "/spool"
