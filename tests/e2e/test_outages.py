"""Kafka, PostgreSQL and all services but serving fail in turn: the reports, the recovery, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from rondo.client import AsyncRondo, Connection, RondoError
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.stack import Stack
from rondo.flights.observers.auditor import Auditor

from tests.e2e import small_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


SERVICES = ("ingestion", "trainer", "registry", "serving", "monitor")
STATEFUL = ("ingestion", "trainer", "registry", "monitor")
DEADLINE = 90
OUTAGE_SECONDS = 10
# 24 kinds of message from the libraries and ten retries of our own, at any moment of an outage.
LINES = 60
Report = dict[str, dict[str, Any]]


@pytest.mark.timeout(400)
@pytest.mark.slow
async def test_no_prediction_is_lost_over_three_outages(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        await small_model.first_model(rondo)
        async with audited(rondo.connection.kafka) as auditor:
            async with small_model.traffic(stack.addresses.kafka) as flow:
                await answers(auditor, 100)
                await kafka_fails_and_recovers(stack, rondo)
                await answers(auditor, 100)
                await postgresql_fails_and_recovers(stack, rondo, auditor)
                await answers(auditor, 100)
            assert await asyncio.to_thread(auditor.wait_for_answers, DEADLINE)
            await all_outcomes_stored(stack, flow)
            await serving_is_alone(stack, rondo)

    ledger = auditor.ledger
    assert (ledger.lost(), ledger.doubled(), ledger.refused.total()) == ([], [], 0)
    assert set(ledger.requested) == {f"q{number}" for number in range(flow.sent)} | {"alone"}
    for service in SERVICES:
        small_model.lines(stack.home / "logs" / f"{service}.log")  # each of them is JSON, so none is a bare traceback


async def kafka_fails_and_recovers(stack: Stack, rondo: AsyncRondo) -> None:
    assert stack.kafka is not None
    before = {service: len(log(stack, service)) for service in SERVICES}
    stack.kafka.kill()
    # Two services start without Kafka. The others run when it fails.
    for service in ("serving", "registry"):
        stack.kill(service)
    report = await status(rondo, lambda report: all(is_unavailable(report, service, "kafka") for service in SERVICES))
    for service in SERVICES:
        check = report[service]["checks"]["kafka"]
        assert str(stack.addresses.kafka) in check
        # Only where Kafka has never answered may the address be wrong.
        assert ("RONDO_KAFKA" in check) == (service in {"serving", "registry"})
    assert not any(report[service]["ready"] for service in SERVICES)

    # Ingestion accepts a batch without Kafka. Its event waits in the outbox.
    assert (await rondo.publish(small_model.DATASET, "no-kafka", small_model.rides(50, 2_000), small_model.PARQUET))[
        "quality"
    ]["accepted"]
    # Serving has just started: its HTTP API may be starting, or the tokens may not have been read yet.
    with pytest.raises(RondoError) as unavailable:
        await rondo.predict_http(small_model.MODEL, {"zone": "a", "distance": 1.0})
    assert unavailable.value.code == "unavailable"
    await asyncio.sleep(OUTAGE_SECONDS)
    await stack.kafka.restart()
    await all_ready(stack)
    assert await event_ids(stack, "batches.accepted", "no-kafka") == 1
    for service in SERVICES:
        lines = log(stack, service)[before[service] :]
        assert len(lines) < LINES, lines
        assert any("Kafka at" in line["message"] for line in lines)


async def postgresql_fails_and_recovers(stack: Stack, rondo: AsyncRondo, auditor: Auditor) -> None:
    assert stack.postgres is not None
    before = {service: len(log(stack, service)) for service in SERVICES}
    stack.postgres.kill()
    for service in ("ingestion", "monitor"):
        stack.kill(service)
    report = await status(
        rondo, lambda report: all(is_unavailable(report, service, "postgresql") for service in STATEFUL)
    )
    for service in STATEFUL:
        check = report[service]["checks"]["postgresql"]
        assert ("RONDO_POSTGRES" in check) == (service in {"ingestion", "monitor"})
    # Serving depends on Kafka only.
    assert report["serving"]["ready"]
    await answers(auditor, 200)
    assert (await rondo.predict_http(small_model.MODEL, {"zone": "a", "distance": 1.0})).model_version == 1

    with pytest.raises(RondoError) as unavailable:
        await rondo.publish(small_model.DATASET, "no-postgresql", small_model.rides(50, 3_000), small_model.PARQUET)
    assert unavailable.value.code == "unavailable"
    with pytest.raises(RondoError) as unavailable:
        await rondo.models()
    assert unavailable.value.code == "unavailable"
    await asyncio.sleep(OUTAGE_SECONDS / 2)
    await stack.postgres.restart()
    await all_ready(stack)
    for _ in range(2):
        accepted = await rondo.publish(
            small_model.DATASET, "no-postgresql", small_model.rides(50, 3_000), small_model.PARQUET
        )
        assert accepted["quality"]["accepted"] == 50
    assert await event_ids(stack, "batches.accepted", "no-postgresql") == 1
    for service in SERVICES:
        lines = log(stack, service)[before[service] :]
        assert len(lines) < LINES, lines


async def serving_is_alone(stack: Stack, rondo: AsyncRondo) -> None:
    """Serving needs only the compacted topic and the artifact store."""
    assert stack.postgres is not None
    await asyncio.gather(*(stack.services[name].stop() for name in STATEFUL))
    stack.postgres.kill()
    stack.kill("serving")
    await stack.wait_ready("serving", DEADLINE)
    features = {"zone": "a", "distance": 1.0}
    assert (await rondo.predict(small_model.MODEL, features, id="alone", seconds=DEADLINE)).model_version == 1
    assert (await rondo.predict_http(small_model.MODEL, features)).model_version == 1


@asynccontextmanager
async def audited(kafka: KafkaConnection) -> AsyncIterator[Auditor]:
    """Read requests and answers during the body, and to the end of the topics afterwards."""
    auditor = Auditor(kafka)
    # A daemon, and no `finally`: when the test fails while Kafka is down, the topics can't be read to the end.
    reading = threading.Thread(target=auditor.run, daemon=True)
    reading.start()
    yield auditor
    auditor.finish()
    await asyncio.to_thread(reading.join)


async def answers(auditor: Auditor, more: int) -> None:
    """Wait until this many more requests are answered."""
    enough = auditor.ledger.responses + more
    async with asyncio.timeout(DEADLINE):
        while auditor.ledger.responses < enough:  # noqa: ASYNC110 - another thread's count
            await asyncio.sleep(0.1)


def is_unavailable(report: Report, service: str, what: str) -> bool:
    """Return whether a service reports a dependency as unavailable."""
    return bool(report[service]["checks"].get(what, "ok") != "ok")


async def status(rondo: AsyncRondo, condition: Callable[[Report], bool]) -> Report:
    """Wait for a report that fulfils a condition."""
    async with asyncio.timeout(DEADLINE):
        while not condition(report := await rondo.status()):  # noqa: ASYNC110 - another process's condition
            await asyncio.sleep(0.2)
    return report


async def all_ready(stack: Stack) -> None:
    await asyncio.gather(*(stack.wait_ready(service, DEADLINE) for service in SERVICES))


async def all_outcomes_stored(stack: Stack, flow: small_model.Traffic) -> None:
    """Wait until each outcome is in Delta, and check that none is there twice."""
    expected = await asyncio.to_thread(observed, stack.addresses.kafka)
    assert set(expected) == {f"q{number}" for number in range(flow.sent)}
    async with asyncio.timeout(DEADLINE):
        while small_model.stored_ids(stack, "outcomes").total() < expected.total():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.5)
    assert small_model.stored_ids(stack, "outcomes") == expected


def observed(bootstrap: str) -> Counter[str]:
    """Return the count of each outcome in Kafka. The test's producer may duplicate one when its broker dies."""
    return Counter(orjson.loads(message.value())["id"] for message in read(bootstrap, "outcomes.observed"))


async def event_ids(stack: Stack, topic: str, batch_id: str) -> int:
    """Wait for the event of a batch, and return the number of different events."""
    async with asyncio.timeout(DEADLINE):
        while True:
            messages = await asyncio.to_thread(read, stack.addresses.kafka, topic)
            events = [m for m in messages if orjson.loads(m.value())["batch_id"] == batch_id]
            if events:
                return len({dict(message.headers() or ())["ce_id"] for message in events})
            await asyncio.sleep(0.2)


def read(bootstrap: str, topic: str) -> list[Any]:
    """Return the committed messages of a topic."""
    consumer = Consumer(
        {**KafkaConnection(bootstrap).confluent(), "group.id": "reader", "enable.partition.eof": True, "log_level": 0}
    )
    try:
        places = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
        consumer.assign(places)
        found: list[Any] = []
        ended = 0
        while ended < len(places):
            for message in consumer.consume(1_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(message)
                else:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    ended += 1
        return found
    finally:
        consumer.close()


def log(stack: Stack, service: str) -> list[dict[str, Any]]:
    return small_model.lines(stack.home / "logs" / f"{service}.log")
