"""An outage of Kafka while requests come over HTTP: 200 with exactly one row in the log, or 503 in time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from rondo.chassis.events.broker import create_topics
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.service import background
from rondo.contracts.events import logs
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka
from rondo.serving.http.endpoints import api
from rondo.serving.inference.service import InferenceService
from rondo.serving.prediction_log.kafka import KafkaLog

from tests.serving.http.inference_api import INFER, tensor
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.serving.models.serving_table import ServedModels

INPUTS = [tensor("distance", "FP32", 3), tensor("night", "BOOL", *[True])]
CLIENTS = 20


class Clients:
    """Clients that send requests one after the other. They record the status of each id, and the longest wait."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._changed = asyncio.Event()
        self.statuses: dict[str, int] = {}
        self.longest = 0.0

    async def run(self, name: int) -> None:
        number = 0
        while True:
            request_id, began = f"{name}-{number}", time.monotonic()
            response = await self._client.post(INFER, json={"id": request_id, "inputs": INPUTS})
            self.longest = max(self.longest, time.monotonic() - began)
            self.statuses[request_id] = response.status_code
            self._changed.set()
            number += 1
            # A client waits like this after 503. The pause also lets other tasks run.
            await asyncio.sleep(0.02 if response.is_success else 0.2)

    def count(self, status: int) -> int:
        return sum(each == status for each in self.statuses.values())

    async def get(self, status: int, more: int) -> None:
        """Wait until this many more requests have this status."""
        wanted = self.count(status) + more
        async with asyncio.timeout(60):
            while self.count(status) < wanted:
                self._changed.clear()
                await self._changed.wait()


def logged(bootstrap: str) -> Counter[str]:
    """Count the ids in the log, up to its end."""
    consumer = Consumer({**KafkaConnection(bootstrap).confluent(), "group.id": "reader"})
    found: Counter[str] = Counter()
    for partition in consumer.list_topics(logs.PREDICTIONS_LOG, timeout=10).topics[logs.PREDICTIONS_LOG].partitions:
        place = TopicPartition(logs.PREDICTIONS_LOG, partition, 0)
        left = consumer.get_watermark_offsets(place, timeout=10)[1]
        consumer.assign([place])
        while left:
            messages = [message for message in consumer.consume(left, 1) if message.error() is None]
            found.update(i for m in messages for i in logs.decode(m.value()).column("id").to_pylist())
            left -= len(messages)
    consumer.close()
    return found


async def no_report() -> dict[str, str]:
    return {}


@pytest.mark.slow
async def test_through_an_outage_each_answer_has_one_row_in_the_log(tmp_path: Path, models: ServedModels) -> None:
    async with Kafka(tmp_path) as broker:
        connection = KafkaConnection(broker.bootstrap)
        create_topics(connection)
        log = KafkaLog(connection, "test", timeout=1)
        await log.connect()
        service = InferenceService(log.publish, lambda: datetime.now(UTC))
        app = server.guarded(Health(), await token_cache(), api(models, service, no_report))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer()) as client:
            clients = Clients(client)
            async with background(log.run()), background(*(clients.run(name) for name in range(CLIENTS))):
                await clients.get(200, 10 * CLIENTS)
                broker.pause()
                await clients.get(503, 2 * CLIENTS)
                broker.resume()
                await clients.get(200, 10 * CLIENTS)
                broker.kill()
                await clients.get(503, 2 * CLIENTS)
                await broker.restart()
                await clients.get(200, 10 * CLIENTS)
        found = await asyncio.to_thread(logged, broker.bootstrap)
    assert set(clients.statuses.values()) == {200, 503}
    assert {found[name] for name, status in clients.statuses.items() if status == 200} == {1}
    assert max(found.values()) == 1
    # librdkafka checks once per second for late messages.
    assert clients.longest < 4
