"""The consumer continues after a record at which aiokafka alone would stop permanently, on a real broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import Producer
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.events.delivery import SUBSCRIPTION
from rondo.chassis.events.fallback_consumer import TolerantConsumer
from rondo.chassis.health import Health
from rondo.chassis.settings import ServiceSettings
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import Topic

from tests.chassis.unreadable import UNREADABLE, send_batch

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

GOOD = ("name", b"v")


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"read-{uuid4().hex[:8]}"
    chassis_kafka.create_topics(KafkaConnection(kafka), [Topic(name, "test", (), "", partitions=3)])
    return name


def reader(bootstrap: str, topic: str, auto_offset_reset: str = "earliest") -> TolerantConsumer:
    return TolerantConsumer(
        topic,
        kafka=KafkaConnection(bootstrap),
        group_id=f"of-{topic}",
        enable_auto_commit=False,
        auto_offset_reset=auto_offset_reset,
        isolation_level="read_committed",
    )


async def take(bootstrap: str, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """Read some records, commit after each as a delivery does, and check that no more arrive."""
    async with reader(bootstrap, topic) as consumer, asyncio.timeout(60):
        found = []
        for _ in range(count):
            found.append(await consumer.getone())
            await consumer.commit()
        assert await consumer.within(0.5) is None
        consumer.check()
    return found


@pytest.mark.slow
async def test_a_name_that_is_no_utf8_costs_its_own_record_the_headers_and_no_other_record_anything(
    kafka: str, topic: str
) -> None:
    records = [(b"%d" % n, [UNREADABLE if n in {3, 4, 22} else GOOD]) for n in range(25)]
    await send_batch(kafka, topic, *records, partition=1)
    await send_batch(kafka, topic, (b"after", [GOOD]), partition=1)
    await send_batch(kafka, topic, (b"beside", [GOOD]), partition=2)
    found = await take(kafka, topic, 27)
    values = [record.value for record in found if record.partition == 1]
    assert values == [*(value for value, _ in records), b"after"]
    without = {record.value for record in found if not record.headers}
    assert without == {b"3", b"4", b"22"}
    assert {record.headers for record in found} == {(GOOD,), ()}
    assert {record.key for record in found} == {b"m"}


async def test_a_takeover_in_the_middle_of_such_a_batch_continues_at_the_commit(kafka: str, topic: str) -> None:
    await send_batch(kafka, topic, *((b"%d" % n, [GOOD if n else UNREADABLE]) for n in range(15)))
    async with reader(kafka, topic) as consumer:
        for _ in range(4):
            await consumer.getone()
        await consumer.commit()
        assert await consumer.committed(TopicPartition(topic, 0)) == 4
    assert [record.value for record in await take(kafka, topic, 11)] == [b"%d" % n for n in range(4, 15)]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_however_an_application_compresses_it_is_read(kafka: str, topic: str, compression: str) -> None:
    producer = Producer({**KafkaConnection(kafka).confluent(), "compression.type": compression, "linger.ms": 100})
    for number in range(15):
        producer.produce(topic, b"%d" % number + b" " * 1000, partition=0, headers={"name": b"v"})
    producer.flush(10)
    found = await take(kafka, topic, 15)
    assert [(record.value or b"").strip() for record in found] == [b"%d" % number for number in range(15)]
    assert {record.headers for record in found} == {(GOOD,)}


async def test_readiness_names_a_read_failure_until_it_ends(kafka: str, topic: str) -> None:
    await send_batch(kafka, topic, (b"0", [GOOD]))
    async with reader(kafka, topic, auto_offset_reset="none") as consumer, asyncio.timeout(60):
        consumer.check()
        with pytest.raises(KafkaError):
            await consumer.getone()
        with pytest.raises(UnavailableError) as caught:
            consumer.check()
        assert caught.value.what == topic
        assert "NoOffsetForPartition" in caught.value.why
        for partition in consumer.assignment():
            consumer.seek(partition, 0)
        await consumer.getone()
        consumer.check()


async def test_readyz_names_a_subscription_that_is_not_read(kafka: str, topic: str) -> None:
    settings = ServiceSettings(service="registry", kafka=kafka, http_port=0)
    health, broker = Health(), chassis_kafka.broker(settings)
    health.started()
    subscriber = broker.subscriber(topic, group_id=f"of-{topic}", **SUBSCRIPTION | {"auto_offset_reset": "none"})
    subscriber(_ignore)
    async with broker, asyncio.timeout(60):
        chassis_kafka.watch(health, settings, broker)
        assert await health.report() == {"kafka": "ok"}
        await broker.start()
        while (reported := (await health.report())["kafka"]) == "ok":  # noqa: ASYNC110 - FastStream reads on a task of its own
            await asyncio.sleep(0.05)
    assert reported.startswith(f"{topic} is not available (reading fails: NoOffsetForPartitionError")


async def _ignore(message: object) -> None:
    """Receive a message, if one arrives."""
