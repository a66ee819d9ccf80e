"""The numbers of partitions of the two logs, with a monitor as a process: different ones, and more of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events.broker import create_topics
from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.contracts.events.monitoring import WindowClosed
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import DATA_PARTITIONS
from rondo.monitor.errors import PartitionsDifferError
from rondo.monitor.stream.partition_numbers import number_of

from tests.monitor.assignment.replicas import Replicas
from tests.monitor.builders import log_of_days
from tests.monitor.events import control_plane
from tests.monitor.test_integration import PublishedEvents, publish, uninterrupted
from tests.support.access import publish_tokens
from tests.support.evidence import put_evidence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

DAYS, SHIFT, MORE = 6, 3, 2 * DATA_PARTITIONS
# One model stays in its partition when their number doubles, and the other one moves to a new partition.
_NAMES = [f"model-{n}" for n in range(30)]
MODELS = [
    next(name for name in _NAMES if (number_of(name, MORE) >= DATA_PARTITIONS) == moves) for moves in (False, True)
]


@pytest.fixture
async def replicas(
    clean_kafka: str, database: Callable[[str], Awaitable[str]], free_port: Callable[[], int], tmp_path: Path
) -> Replicas:
    artifacts = str(tmp_path / "artifacts")
    environment = {
        "RONDO_KAFKA": clean_kafka, "RONDO_POSTGRES": await database("monitor"), "RONDO_ARTIFACTS": artifacts,
    }  # fmt: skip
    return Replicas(environment, tmp_path, free_port)


def add_partitions(kafka: str, *topics: str) -> None:
    create_topics(KafkaConnection(kafka))
    admin = AdminClient(KafkaConnection(kafka).confluent())
    for future in admin.create_partitions([NewPartitions(topic, MORE) for topic in topics]).values():
        future.result(20)


@pytest.mark.slow
async def test_logs_with_different_numbers_of_partitions_end_the_start(replicas: Replicas) -> None:
    await asyncio.to_thread(add_partitions, replicas.environment["RONDO_KAFKA"], OUTCOMES_LOG)
    expected = PartitionsDifferError({PREDICTIONS_LOG: DATA_PARTITIONS, OUTCOMES_LOG: MORE})
    with replicas.make("a") as monitor:
        assert await asyncio.to_thread(monitor.wait, 60) == 2, monitor.lines()[-5:]
    assert str(expected) in [line["message"] for line in monitor.lines() if line["level"] == "CRITICAL"]


@pytest.mark.slow
async def test_partitions_are_added_to_logs_that_are_monitored(replicas: Replicas) -> None:
    """The second half of a model's rows is in another partition, and its state is where it was before."""
    kafka = replicas.environment["RONDO_KAFKA"]
    logs = {name: log_of_days(DAYS, SHIFT, skill=0.2, model=name) for name in MODELS}
    expected = await uninterrupted(logs)
    half = DAYS * 2
    of_control = [each for name in MODELS for each in control_plane(name)]
    await put_evidence(Artifacts(replicas.environment["RONDO_ARTIFACTS"]))
    await asyncio.to_thread(publish_tokens, kafka)
    events = PublishedEvents(kafka)
    with replicas.make("a") as monitor:
        try:
            parts = [
                {name: (predicted[part], known[part]) for name, (predicted, known) in logs.items()}
                for part in (slice(half), slice(half, None))
            ]
            publish(kafka, parts[0], of_control)
            await events.until(lambda: events.count(WindowClosed) >= len(MODELS) * (DAYS // 2 - 1))
            await asyncio.to_thread(monitor.stop)
            await asyncio.to_thread(add_partitions, kafka, PREDICTIONS_LOG, OUTCOMES_LOG)
            publish(kafka, parts[1])
            monitor.start()
            await events.until(lambda: len(events.values) >= len(expected))
            assert await replicas.shares("a") == {"a": set(range(DATA_PARTITIONS))}
        finally:
            events.consumer.close()
    assert expected == events.values
