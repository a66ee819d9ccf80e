"""What is read back from a real topic of answers, around aborted and open transactions."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events.broker import create_topics
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.serving.stream import committed_answers_kafka
from rondo.serving.stream.committed_answers_kafka import KafkaAnswers

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

TOPIC = "predictions.made"


@pytest.fixture
def connection(clean_kafka: str) -> KafkaConnection:
    found = KafkaConnection(clean_kafka)
    create_topics(found)
    return found


def answer(number: int) -> bytes:
    made_at = datetime.fromtimestamp(time.time(), UTC).isoformat()
    return b'{"model":"delay","model_version":1,"made_at":"%b","id":"r%d"}' % (made_at.encode(), number)


class Writer:
    """A replica that writes answers."""

    def __init__(self, connection: KafkaConnection, name: str) -> None:
        self.producer = Producer(connection.confluent() | {"transactional.id": name})
        self.producer.init_transactions(30)

    def begin(self, *numbers: int, partition: int = 2, age: float = 0.0) -> None:
        self.producer.begin_transaction()
        at = int((time.time() - age) * 1000)
        for number in numbers:
            self.producer.produce(TOPIC, answer(number), b"k", partition, timestamp=at)
        self.producer.flush(30)

    def commit(self) -> None:
        self.producer.commit_transaction(30)


def read(connection: KafkaConnection, partitions: Collection[int], most: int = 100) -> list[tuple[int, str]]:
    found = KafkaAnswers(connection, "test").since(partitions, time.time() - 60.0, most)
    return [(each.partition, each.id) for each in found]


@pytest.mark.medium
def test_committed_answers_of_the_window_are_read_in_order_and_aborted_ones_are_not(
    connection: KafkaConnection,
) -> None:
    writer = Writer(connection, "a")
    writer.begin(0, age=120.0)
    writer.commit()
    for numbers in ((1, 2), (3,)):
        writer.begin(*numbers)
        writer.commit()
    writer.begin(4)
    writer.producer.abort_transaction(30)
    writer.begin(5, partition=4)
    writer.commit()
    writer.producer.begin_transaction()
    writer.producer.produce(TOPIC, b"no answer of ours", b"k", 2)
    writer.commit()
    assert read(connection, [2]) == [(2, "r1"), (2, "r2"), (2, "r3")]
    assert sorted(read(connection, [2, 4, 5])) == [(2, "r1"), (2, "r2"), (2, "r3"), (4, "r5")]
    assert read(connection, [5]) == []


@pytest.mark.medium
def test_of_more_answers_than_are_kept_the_last_ones_are_read(
    connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(connection, "a")
    for number in range(20):
        writer.begin(number)
        writer.commit()
    with caplog.at_level(logging.WARNING):
        assert read(connection, [2], most=20) == [(2, f"r{number}") for number in range(20)]
        assert caplog.records == []
        assert read(connection, [2], most=5) == [(2, f"r{number}") for number in range(15, 20)]
        assert "RONDO_DEDUPLICATED_ANSWERS" in caplog.text


@pytest.mark.medium
def test_a_transaction_that_is_open_at_the_call_is_awaited(connection: KafkaConnection) -> None:
    first, second = Writer(connection, "a"), Writer(connection, "b")
    first.begin(1)
    second.begin(2)
    second.commit()
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read, connection, [2])
        with pytest.raises(TimeoutError):
            reading.result(1.0)
        first.commit()
        assert reading.result(30) == [(2, "r1"), (2, "r2")]


@pytest.mark.medium
def test_a_transaction_that_does_not_end_is_an_outage(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committed_answers_kafka, "_SILENCE_SECONDS", 0.5)
    writer = Writer(connection, "a")
    writer.begin(1)
    with pytest.raises(UnavailableError):
        read(connection, [2])
    writer.commit()


@pytest.mark.medium
async def test_a_retention_below_the_window_is_logged_once(
    connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    admin, topic = AdminClient(connection.confluent()), ConfigResource(ResourceType.TOPIC, TOPIC)

    def retention() -> str:
        return str(admin.describe_configs([topic])[topic].result(10)["retention.ms"].value)

    change = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[change])
    writer = Writer(connection, "a")
    writer.begin(1)
    writer.commit()
    admin.incremental_alter_configs([changed])[changed].result(10)
    await until(lambda: retention() == "3600000")
    answers = KafkaAnswers(connection, "test")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [each.id for each in answers.since([2], time.time() - 7_200, 9)] == ["r1"]
        assert [each.id for each in KafkaAnswers(connection, "test").since([2], time.time() - 3_500, 9)] == ["r1"]
    found = [record.levelname for record in caplog.records if record.name == committed_answers_kafka.__name__]
    assert found == ["WARNING"]


@pytest.mark.medium
def test_kafka_that_does_not_answer_is_an_outage(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed_answers_kafka, "_ANSWER_SECONDS", 1)
    with pytest.raises(UnavailableError):
        read(KafkaConnection(f"127.0.0.1:{free_port()}"), [0])
