"""The interfaces of ingestion for its clients: HTTP, the topics of a real Kafka, and the Delta tables."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import orjson
import polars as pl
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.access import bearer

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.ingestion.settings import IngestionSettings


def produce(bootstrap: str, topic: str, *values: bytes, key: bytes = b"tips", headers: Any = None) -> None:
    producer = Producer({**KafkaConnection(bootstrap).confluent(), "linger.ms": 5})
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
            **KafkaConnection(bootstrap).confluent(),
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


async def apply(bootstrap: str, *specs: ModelSpec) -> None:
    """Apply the first revision of each spec, as the registry does."""
    producer = Producer({**KafkaConnection(bootstrap).confluent(), "linger.ms": 5})
    for each in specs:
        event = SpecApplied(model=each.model, revision=1, digest=each.digest, spec=each)
        envelope = Envelope(str(uuid4()), "rondo/registry", datetime.now(UTC), event)
        headers = [(name, value.encode()) for name, value in envelope.headers().items()]
        producer.produce(SpecApplied.topic, envelope.value(), event.key.encode(), headers=headers)
    assert await asyncio.to_thread(producer.flush, 20) == 0


@dataclass
class IngestionClient:
    """A client of ingestion."""

    settings: IngestionSettings
    client: httpx.AsyncClient

    async def upload(self, batch_id: str, body: bytes, content_type: str = "application/vnd.apache.parquet",
                     dataset: str = "rides") -> httpx.Response:  # fmt: skip
        return await self.client.post(
            f"/v1/datasets/{dataset}/batches/{batch_id}", content=body, headers={"content-type": content_type}
        )

    async def knows(self, dataset: str = "rides") -> bool:
        """Return whether a spec of the dataset is in force."""
        return (await self.client.get(f"/v1/datasets/{dataset}")).status_code == 200


def client(settings: IngestionSettings) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}", headers=bearer(), timeout=30)


def rows(running: IngestionClient, table: str) -> pl.DataFrame:
    """Return the rows of a Delta table. An empty frame if there is none."""
    path = Path(running.settings.data) / table
    return pl.read_delta(str(path)) if (path / "_delta_log").exists() else pl.DataFrame()


async def events(running: IngestionClient, topic: str) -> list[dict[str, Any]]:
    """Return the values of a topic of JSON events."""
    return [
        orjson.loads(m.value() or b"") for m in await asyncio.to_thread(read_all, running.settings.kafka.servers, topic)
    ]


async def dead_letters(kafka: str) -> list[Message]:
    return await asyncio.to_thread(read_all, kafka, "ingestion.dead-letters")
