"""Tables and artifacts in a bucket: ingestion's and the trainer's own code against an S3 server on loopback.

The server refuses a conditional write of a key that exists, as S3 does: delta-rs commits with such writes.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.artifacts import ArtifactMissingError, Artifacts, ArtifactUnreadableError, digest_of
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.spool import SpooledFile
from rondo.ingestion.batches.submission import Submission
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.landing import FeedbackLanding
from rondo.ingestion.spec_cache import SpecCache
from rondo.trainer.dataset.delta_tables import DeltaDatasets

from tests.ingestion.builders import NOW, parquet, predictions, rides, spec
from tests.ingestion.fakes import MemoryBatchStore
from tests.ingestion.feedback.test_landing import MemoryLandingStore, outcomes, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_START_SECONDS = 20


@pytest.fixture
def bucket(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of an empty bucket. Its name is new each time, because polars keeps the connection of a name."""
    folder, name, port = tmp_path / "s3", f"rondo-{uuid4().hex[:12]}", free_port()
    (folder / name).mkdir(parents=True)
    for variable, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    command = [sys.executable, "-m", "localbucket", str(folder), "--port", str(port)]
    with (tmp_path / "s3.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _listening(port):
            assert server.poll() is None, (tmp_path / "s3.log").read_text()
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.02)
        yield f"s3://{name}"
    finally:
        server.terminate()
        server.wait(_START_SECONDS)


def _listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def submission(frame: pl.DataFrame, folder: Path, batch_id: str) -> Submission:
    """Return a batch as the spool holds it."""
    content, path = parquet(frame, folder), folder / batch_id
    path.write_bytes(content)
    return Submission("rides", batch_id, "http", "Parquet", SpooledFile(path, digest_of(content)))


def served(first: int, count: int) -> bytes:
    """Return a message of `predictions.log` with a value of every feature."""
    return predictions(
        first,
        count,
        zone=pa.array(["north"] * count),
        stops=pa.array([1.0] * count, pa.float32()),
        night=pa.array([0.0] * count, pa.float32()),
        rain=pa.array([0.5] * count, pa.float32()),
    )


@pytest.mark.parametrize("prefix", [pytest.param("data", marks=pytest.mark.slow), "my%20data/ü/50%25"])
async def test_what_ingestion_publishes_in_a_bucket_is_what_the_trainer_reads(
    bucket: str, prefix: str, tmp_path: Path
) -> None:
    root, batches, reports = f"{bucket}/{prefix}", MemoryBatchStore(), Artifacts(f"{bucket}/{prefix}/artifacts")
    tables = DeltaTables(root, compact_every=2)
    service = BatchService(SpecCache([spec()]), batches, BatchPublisher(tables), reports, clock=lambda: NOW)
    first = rides(10, distance=[-1.0, *[1.0] * 9])
    result = await service.submit(submission(first, tmp_path, "january"))
    assert result.record.headline["rows"]["quarantined"] == 1
    assert b"below the minimum" in await reports.get(result.record.headline["report"])
    for number in (1, 2, 3):
        await service.submit(submission(rides(10, 10 * number), tmp_path, f"more-{number}"))
    landing = FeedbackLanding(tables, MemoryLandingStore(), every=0)
    await landing.load()
    await landing.advance([sent("predictions.log", 0, served(100, 5)), sent("outcomes.log", 0, outcomes(100, 5))])

    again = DeltaTables(root)
    assert again.names("datasets") == ["rides"]
    restarted = BatchService(SpecCache([spec()]), batches, BatchPublisher(again), reports, clock=lambda: NOW)
    await restarted.recover()
    assert (await restarted.submit(submission(first, tmp_path, "january"))).repeated

    found = DeltaDatasets(root).read(spec(), NOW)
    published = pl.concat([first[1:], rides(30, 10)])
    assert set(found.rows["ride"]) == {*published["ride"], *(f"r{number}" for number in range(100, 105))}
    labels = found.rows.filter(pl.col("ride").is_in(published["ride"].to_list()))["tipped"]
    assert labels.to_list() == published["tipped"].to_list()
    current = again.current("datasets/rides")
    assert current is not None
    assert [(each.table, each.version, each.digest) for each in found.data[:1]] == [
        ("datasets/rides", current.version, current.digest)
    ]


@pytest.mark.slow
def test_writers_at_the_same_time_overwrite_no_commit_of_each_other(bucket: str) -> None:
    """There should be one writer. One that was declared dead may come back."""

    def ride(number: int) -> pl.DataFrame:
        return rides(1, number, rain=[0.5])

    def write(first: int) -> None:
        tables = DeltaTables(f"{bucket}/data")
        for number in range(first, first + 3):
            tables.append("datasets/rides", ride(number), {}, {})

    DeltaTables(f"{bucket}/data").append("datasets/rides", ride(0), {}, {})
    with ThreadPoolExecutor() as threads:
        for writer in [threads.submit(write, first) for first in (1, 4, 7, 10)]:
            writer.result()
    written = DeltaTables(f"{bucket}/data").scan("datasets/rides")
    assert written is not None
    assert sorted(written.collect()["ride"]) == sorted(rides(13)["ride"])


async def test_artifacts_are_kept_in_a_bucket(bucket: str) -> None:
    artifacts = Artifacts(f"{bucket}/my artifacts")
    content = bytes(range(256)) * 50_000
    digest = await artifacts.put(content)
    assert digest == await artifacts.put(content) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert await artifacts.get(digest) == content
    with pytest.raises(ArtifactMissingError):
        await artifacts.get(digest_of(b"never"))


async def test_a_bucket_that_does_not_exist_is_unavailable_and_named(bucket: str) -> None:
    missing = f"{bucket}-missing"
    artifacts, tables = Artifacts(missing), DeltaTables(missing)
    with pytest.raises(ArtifactUnreadableError) as unreadable:
        await artifacts.get(digest_of(b"never"))
    with pytest.raises(UnavailableError) as unwritable:
        await artifacts.put(b"model")
    with pytest.raises(UnavailableError) as unlisted:
        tables.names("datasets")
    with pytest.raises(UnavailableError) as uncommitted:
        tables.append("datasets/rides", rides(10), {}, {})
    with pytest.raises(UnavailableError) as unread:
        DeltaDatasets(missing).read(spec(), NOW)
    for error in (unreadable, unwritable, unlisted, uncommitted, unread):
        assert "NoSuchBucket: " in error.value.why
