"""The producer of the inference log on a real broker, and without one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events.broker import create_topics
from rondo.chassis.service import background
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.serving.prediction_log.batch import CONTENT_TYPE
from rondo.serving.prediction_log.kafka import FatalProducerError, KafkaLog

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def connection(clean_kafka: str) -> KafkaConnection:
    found = KafkaConnection(clean_kafka)
    create_topics(found)
    return found


@pytest.fixture
def unreachable(free_port: Callable[[], int]) -> KafkaLog:
    return KafkaLog(KafkaConnection(f"127.0.0.1:{free_port()}"), "test", timeout=0.5)


def ends(connection: KafkaConnection) -> list[int]:
    """Return the number of records of each partition of the log."""
    consumer = Consumer(connection.confluent() | {"group.id": "reader"})
    partitions = consumer.list_topics(PREDICTIONS_LOG, timeout=10).topics[PREDICTIONS_LOG].partitions
    found = [
        consumer.get_watermark_offsets(TopicPartition(PREDICTIONS_LOG, each), timeout=10)[1] for each in partitions
    ]
    consumer.close()
    return found


def first(connection: KafkaConnection, partition: int) -> tuple[bytes | None, bytes | None, dict[str, bytes | None]]:
    """Return key, value and headers of the first record of a partition."""
    consumer = Consumer(connection.confluent() | {"group.id": "reader"})
    consumer.assign([TopicPartition(PREDICTIONS_LOG, partition, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    return message.key(), message.value(), dict(message.headers() or [])


async def test_kafka_has_a_record_when_its_publication_returns(connection: KafkaConnection) -> None:
    log = KafkaLog(connection, "test")
    await log.connect()
    async with background(log.run()):
        for number in (1, 2):
            await log.publish("delay", b"%d" % number)
            found = ends(connection)
            assert sorted(found)[-2:] == [0, number]
    headers = {"content-type": CONTENT_TYPE.encode()}
    assert first(connection, found.index(2)) == (b"delay", b"1", headers)


async def test_a_stop_takes_the_acknowledgement_of_what_is_on_its_way(connection: KafkaConnection) -> None:
    log = KafkaLog(connection, "test")
    running = asyncio.create_task(log.run())
    # The producer has no connection yet, so it can't be acknowledged before the stop.
    publishing = asyncio.ensure_future(log.publish("delay", b"1"))
    await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(30):
        await publishing
    assert sum(ends(connection)) == 1
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(UnavailableError, match="stops"):
        await log.publish("delay", b"2")


@pytest.mark.medium
async def test_a_start_waits_for_kafka(unreachable: KafkaLog, caplog: pytest.LogCaptureFixture) -> None:
    connecting = asyncio.create_task(unreachable.connect())
    async with asyncio.timeout(10):
        while sum(record.name == "rondo.chassis.retry" for record in caplog.records) < 2:
            await asyncio.wait([connecting], timeout=0.05)
            assert not connecting.done()
    connecting.cancel()


@pytest.mark.medium
async def test_without_kafka_a_record_is_refused_in_time(unreachable: KafkaLog) -> None:
    async with background(unreachable.run()), asyncio.timeout(5):
        with pytest.raises(UnavailableError):
            await unreachable.publish("delay", b"1")


@pytest.mark.medium
async def test_what_waits_for_kafka_has_an_answer_when_the_producer_ends(unreachable: KafkaLog) -> None:
    running = asyncio.create_task(unreachable.run())
    publishing = asyncio.ensure_future(unreachable.publish("delay", b"1"))
    await asyncio.sleep(0)
    unreachable._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert not running.done()
    unreachable._on_error(KafkaError(KafkaError._FATAL, "out of order", True))  # noqa: FBT003 - a class of C
    async with asyncio.timeout(5):
        with pytest.raises(UnavailableError):
            await publishing
        with pytest.raises(FatalProducerError, match="out of order"):
            await running
        with pytest.raises(UnavailableError):
            await unreachable.publish("delay", b"2")
