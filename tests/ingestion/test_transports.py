"""Batches over HTTP, over Kafka and from a folder have the same answer, on real Kafka, PostgreSQL and Delta."""

from __future__ import annotations

import asyncio
import gzip
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer
from rondo.chassis.events import broker as chassis_kafka
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.ingestion.batches.service import BatchService

from tests.ingestion.builders import parquet, rides
from tests.ingestion.processes import IngestionClient, events, produce, read_all, rows
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.ingestion.batches.service import SubmissionResult
    from rondo.ingestion.batches.submission import Submission


def unusual(folder: Path) -> bytes:
    """Return a Parquet file with columns that polars can't read, of which the contract names one."""
    table = rides(10).drop("distance").to_arrow()
    table = table.append_column("distance", pa.array([[1]] * 10, pa.list_view(pa.int64())))
    pq.write_table(table.append_column("at", pa.array([0] * 10, pa.timestamp("us", "+05:30"))), folder / "unusual")
    return (folder / "unusual").read_bytes()


@pytest.mark.slow
async def test_a_file_of_unsupported_types_is_a_rejected_batch_over_every_transport(
    ingestion: IngestionClient, tmp_path: Path
) -> None:
    kafka, inbox = ingestion.settings.kafka, ingestion.settings.inbox
    assert inbox is not None
    body = unusual(tmp_path)
    answer = await ingestion.upload("by-http", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "batch_rejected")
    headers = [("dataset", b"rides"), ("batch_id", b"by-kafka"), ("content-type", b"application/vnd.apache.parquet")]
    produce(kafka.servers, "batches.submitted", body, key=b"rides", headers=headers)
    (inbox / "rides").mkdir(parents=True)
    (inbox / "rides" / "by-folder.parquet").write_bytes(body)

    async def rejected() -> set[tuple[str, str]]:
        found = {(each["batch_id"], each["source"]) for each in await events(ingestion, "batches.rejected")}
        return found if len(found) == 3 else set()

    assert await until(rejected) == {("by-http", "http"), ("by-kafka", "kafka"), ("by-folder", "folder")}
    reason = (inbox / "rides" / "rejected" / "by-folder.parquet.reason.txt").read_text()
    assert "column 'distance' is list_view" in reason


@pytest.mark.slow
async def test_a_damaged_gzip_file_is_a_rejected_batch_over_every_transport(
    ingestion: IngestionClient, tmp_path: Path
) -> None:
    kafka, inbox = ingestion.settings.kafka, ingestion.settings.inbox
    assert inbox is not None
    rides(10).write_csv(tmp_path / "rides.csv")
    whole = gzip.compress((tmp_path / "rides.csv").read_bytes())
    encoded = {"content-type": "text/csv", "content-encoding": "gzip"}
    damaged = {"cut": whole[:-10], "other-checksum": whole[:-8] + bytes(4) + whole[-4:]}
    (inbox / "rides").mkdir(parents=True)
    for name, body in damaged.items():
        path = f"/v1/datasets/rides/batches/{name}-by-http"
        answer = await ingestion.client.post(path, content=body, headers=encoded)
        assert (answer.status_code, answer.json()["code"]) == (422, "batch_rejected")
        assert "compress the file again, or send it as it is" in answer.json()["reasons"][0]
        headers = {"dataset": "rides", "batch_id": f"{name}-by-kafka", **encoded}
        produce(
            kafka.servers,
            "batches.submitted",
            body,
            key=b"rides",
            headers=[(k, v.encode()) for k, v in headers.items()],
        )
        (inbox / "rides" / f"{name}-by-folder.csv").write_bytes(body)

    async def rejected() -> set[tuple[str, str]]:
        found = {(each["batch_id"], each["source"]) for each in await events(ingestion, "batches.rejected")}
        return found if len(found) == 6 else set()

    sources = {"http": "http", "kafka": "kafka", "folder": "folder"}
    assert await until(rejected) == {
        (f"{name}-by-{door}", source) for name in damaged for door, source in sources.items()
    }
    reason = (inbox / "rides" / "rejected" / "cut-by-folder.csv.reason.txt").read_text()
    assert "its end is missing" in reason
    assert await asyncio.to_thread(read_all, kafka.servers, "ingestion.dead-letters") == []
    # A sound file is recognised without a Content-Encoding.
    (inbox / "rides" / "sound.csv").write_bytes(whole)
    answer = await ingestion.upload("sound-by-http", whole, "text/csv")
    assert answer.status_code == 201, answer.text

    async def both() -> bool:
        return rows(ingestion, "datasets/rides").height == 20

    await until(both)


async def test_batches_are_accepted_over_kafka_and_from_a_folder(ingestion: IngestionClient, tmp_path: Path) -> None:
    kafka, inbox = ingestion.settings.kafka.servers, ingestion.settings.inbox
    assert inbox is not None
    whole = parquet(rides(10, start=100), tmp_path)
    kind = b"application/vnd.apache.parquet"
    for name, value in (("by-kafka", whole), ("half-by-kafka", whole[:-50])):
        headers = [("dataset", b"rides"), ("batch_id", name.encode()), ("content-type", kind)]
        produce(kafka, "batches.submitted", value, key=b"rides", headers=headers)
    produce(kafka, "batches.submitted", b"\xff", key=b"rides", headers=[("dataset", b"ri\xffdes")])
    folder = inbox / "rides"
    folder.mkdir(parents=True)
    (folder / "by-folder.part").write_bytes(whole)
    (folder / "by-folder.part").rename(folder / "by-folder.parquet")
    (folder / "half.parquet").write_bytes(whole[:-50])
    rides(10, start=200).write_csv(folder / "as-csv.csv")
    (folder / "notes.docx").write_bytes(b"x")

    async def all_there() -> bool:
        left = [path for path in folder.glob("*") if path.is_file()]
        return not left and rows(ingestion, "datasets/rides").height == 30

    await until(all_there)
    assert sorted(path.name for path in (folder / "done").iterdir()) == ["as-csv.csv", "by-folder.parquet"]
    assert "it is half-written" in (folder / "rejected" / "half.parquet.reason.txt").read_text()
    assert (folder / "rejected" / "notes.docx.reason.txt").read_text().startswith("content type '.docx' is not")

    async def rejected() -> bool:
        published = await events(ingestion, "batches.rejected")
        return {(each["batch_id"], each["source"]) for each in published} == {
            ("half-by-kafka", "kafka"),
            ("half", "folder"),
        }

    await until(rejected)
    dead_letter_messages = await asyncio.to_thread(read_all, kafka, "ingestion.dead-letters")
    assert [dead_letter.value() for dead_letter in dead_letter_messages] == [b"\xff"]


async def test_a_batch_over_kafka_keeps_its_trace(ingestion: IngestionClient, tmp_path: Path) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = [
        ("dataset", b"rides"), ("batch_id", b"january"), ("content-type", b"application/vnd.apache.parquet"),
        ("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01".encode()),
    ]  # fmt: skip
    produce(
        ingestion.settings.kafka.servers,
        "batches.submitted",
        parquet(rides(3), tmp_path),
        key=b"rides",
        headers=headers,
    )
    await until(lambda: events(ingestion, "batches.accepted"))
    [message] = await asyncio.to_thread(read_all, ingestion.settings.kafka.servers, "batches.accepted")
    assert trace_id in str(dict(message.headers() or ())["traceparent"])


def test_a_batch_that_is_too_large_for_kafka_is_refused_at_the_sender(clean_kafka: str) -> None:
    chassis_kafka.create_topics(KafkaConnection(clean_kafka))
    producer = Producer({**KafkaConnection(clean_kafka).confluent(), "message.max.bytes": 16 * 1024 * 1024})
    published: list[str] = []
    producer.produce(
        "batches.submitted", os.urandom(8 * 1024 * 1024 + 1), on_delivery=lambda error, _: published.append(error.str())
    )
    assert producer.flush(20) == 0
    assert published == ["Broker: Message size too large"]


@pytest.mark.slow
async def test_a_batch_that_always_fails_ends_in_the_dead_letters_and_the_next_is_taken(
    ingestion: IngestionClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = BatchService.submit

    async def fail(self: BatchService, submission: Submission) -> SubmissionResult:
        if submission.batch_id == "cursed":
            raise RuntimeError("what is this")
        return await submit(self, submission)

    monkeypatch.setattr(BatchService, "submit", fail)
    kind = b"application/vnd.apache.parquet"
    bodies = {name: parquet(rides(10, start=start), tmp_path) for name, start in (("cursed", 0), ("next", 10))}
    for name, body in bodies.items():
        headers = [("dataset", b"rides"), ("batch_id", name.encode()), ("content-type", kind)]
        produce(ingestion.settings.kafka.servers, "batches.submitted", body, key=b"rides", headers=headers)

    async def taken() -> bool:
        return rows(ingestion, "datasets/rides").height == 10

    await until(taken)
    assert rows(ingestion, "datasets/rides")["batch_id"].unique().to_list() == ["next"]
    [dead_letter] = await asyncio.to_thread(read_all, ingestion.settings.kafka.servers, "ingestion.dead-letters")
    published = dict(dead_letter.headers() or ())
    assert dead_letter.value() == bodies["cursed"]
    assert (published["batch_id"], published["content-type"]) == (b"cursed", kind)
    assert (published["__dlq.errors.exception"], published["__dlq.errors.message"]) == (
        b"RuntimeError",
        b"what is this",
    )
    assert (published["__dlq.errors.delivery.count"], published["__dlq.errors.group"]) == (b"5", b"ingestion-batches")
