"""A dataset of rides with a contract that has something of everything, and ingestion as a running service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import orjson
import polars as pl
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rondo.chassis.events import broker as chassis_kafka
from rondo.contracts.events import logs
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec.model import ModelSpec
from rondo.ingestion.app import application
from rondo.ingestion.settings import IngestionSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

TOKEN = "t" * 16
START = datetime(2013, 1, 1, tzinfo=UTC)
NOW = datetime(2014, 1, 1, tzinfo=UTC)  # the clock of the tests that are about values only


def spec(model: str = "tips", dataset: str = "rides", **features: Any) -> ModelSpec:
    given: dict[str, Any] = {
        "zone": {"type": "category", "values": ["north", "south"]},
        "distance": {"type": "float", "min": 0, "max": 1000},
        "stops": {"type": "int"},
        "night": {"type": "bool"},
        "rain": {"type": "float", "optional": True},
    }
    return ModelSpec.model_validate(
        {
            "model": model,
            "data": {
                "dataset": dataset,
                "entity": "ride",
                "event_time": "started",
                "label": "tipped",
                "max_bad_share": 0.2,
            },
            "features": given | features,
        }
    )


def rides(count: int = 10, start: int = 0, **columns: Any) -> pl.DataFrame:
    """Return good rows; `columns` replace or add."""
    numbers = range(start, start + count)
    frame = pl.DataFrame(
        {
            "ride": [f"r{n}" for n in numbers],
            "started": [START + timedelta(minutes=n) for n in numbers],
            "zone": ["north" if n % 2 else "south" for n in numbers],
            "distance": [float(n % 900) for n in numbers],
            "stops": [n % 4 for n in numbers],
            "night": [n % 3 == 0 for n in numbers],
            "rain": [None if n % 5 == 0 else 0.5 for n in numbers],
            "tipped": [n % 2 for n in numbers],
        },
        schema_overrides={"started": pl.Datetime("us", "UTC")},
    )
    return frame.with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})


def parquet(frame: pl.DataFrame, folder: Path) -> bytes:
    path = folder / f"{uuid4().hex}.parquet"
    frame.write_parquet(path)
    return path.read_bytes()


def outcome(number: int, model: str = "tips", **other: Any) -> bytes:
    known = (START + timedelta(seconds=number)).isoformat()
    return orjson.dumps({"model": model, "id": f"p{number}", "outcome": number % 2, "event_time": known} | other)


def predictions(first: int, count: int, model: str = "tips", version: int = 1, **features: pa.Array) -> bytes:
    """Return one message of `predictions.log`."""
    numbers = range(first, first + count)
    columns = {
        "id": pa.array([f"p{n}" for n in numbers], pa.string()),
        "entity": pa.array([f"r{n}" for n in numbers], pa.string()),
        "event_time": pa.array([START + timedelta(seconds=n) for n in numbers], logs.TIMESTAMP),
        "made_at": pa.array([START] * count, logs.TIMESTAMP),
        "feature.distance": pa.array([float(n) for n in numbers], pa.float32()),
        **{f"feature.{name}": values for name, values in features.items()},
        "output.score": pa.array([0.5] * count, pa.float32()),
    }
    batch = pa.RecordBatch.from_pydict(columns, metadata=logs.version_metadata(model, version, "sha256:" + "0" * 64))
    return logs.encode(batch)


def produce(bootstrap: str, topic: str, *values: bytes, key: bytes = b"tips", headers: Any = None) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for value in values:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(20) == 0


def read_all(bootstrap: str, topic: str) -> list[Message]:
    """Read a topic from its beginning to its end, as an independent read_committed reader."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid4().hex,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = list(consumer.list_topics(topic, 10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(5)
        if message is None or message.error():
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return found


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Await a condition, and return what made it true."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it is in another system
            await asyncio.sleep(0.05)
    return found


async def apply(bootstrap: str, model_spec: ModelSpec, revision: int = 1) -> None:
    event = SpecApplied(model=model_spec.model, revision=revision, digest=model_spec.digest, spec=model_spec)
    envelope = Envelope(str(uuid4()), "rondo/registry", datetime.now(UTC), event)
    await asyncio.to_thread(
        produce, bootstrap, SpecApplied.topic, envelope.value(), key=event.key.encode(),
        headers=[(k, v.encode()) for k, v in envelope.headers().items()],
    )  # fmt: skip


@dataclass
class Running:
    """Ingestion as its clients see it."""

    settings: IngestionSettings
    client: httpx.AsyncClient

    async def upload(self, batch_id: str, body: bytes, content_type: str = "application/vnd.apache.parquet",
                     dataset: str = "rides") -> httpx.Response:  # fmt: skip
        return await self.client.post(
            f"/v1/datasets/{dataset}/batches/{batch_id}", content=body, headers={"content-type": content_type}
        )

    async def knows(self, dataset: str = "rides") -> bool:
        """Say whether a spec of the dataset is in force."""
        return (await self.client.get(f"/v1/datasets/{dataset}")).status_code == 200


@pytest.fixture
async def settings(
    clean_kafka: str, database: Callable[[str], Awaitable[str]], free_port: Callable[[], int], tmp_path: Path
) -> IngestionSettings:
    await asyncio.to_thread(chassis_kafka.create_topics, clean_kafka)
    return IngestionSettings.model_validate(
        {
            "service": "ingestion", "kafka": clean_kafka, "http_port": free_port(), "api_token": TOKEN,
            "postgres": await database("ingestion"), "data": tmp_path / "data", "inbox": tmp_path / "inbox",
            "landing_seconds": 0.2, "inbox_settle_seconds": 0.3, "inbox_patience_seconds": 0.6,
            "max_batch_bytes": 4 * 1024 * 1024,
        }
    )  # fmt: skip


def client(settings: IngestionSettings) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{settings.http_port}", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30
    )


@pytest.fixture
async def ingestion(settings: IngestionSettings) -> AsyncIterator[Running]:
    """Ingestion in this process, with a spec in force."""
    async with application(settings), client(settings) as http:
        running = Running(settings, http)
        await apply(settings.kafka, spec())
        await until(running.knows)
        yield running
