"""Answers read back from a real topic, with aborted and open transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
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


@pytest.mark.slow
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


def also_consuming(message: Message) -> type[Consumer]:
    """Return a consumer that also gets this message at each call, at most 100 times."""

    class Also(Consumer):
        calls = 0

        def consume(self, *args: Any, **more: Any) -> list[Message]:
            Also.calls += 1
            assert Also.calls < 100, "it reads without end"
            return [*super().consume(*args, **more), message]

    return Also


@pytest.mark.medium
def test_an_error_that_librdkafka_does_not_recover_from_is_an_outage_at_once(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Message(topic=TOPIC, partition=2, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    monkeypatch.setattr(committed_answers_kafka, "Consumer", also_consuming(refused))
    writer = Writer(connection, "a")
    writer.begin(1)
    with pytest.raises(UnavailableError) as caught:
        read(connection, [2])
    assert isinstance(caught.value.__cause__, KafkaException)
    assert caught.value.__cause__.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    writer.commit()


@pytest.mark.medium
def test_errors_that_pass_are_no_progress_and_are_the_reason_of_an_outage(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committed_answers_kafka, "_SILENCE_SECONDS", 0.5)
    away = Message(topic=TOPIC, partition=2, error=KafkaError(KafkaError._TRANSPORT))
    monkeypatch.setattr(committed_answers_kafka, "Consumer", also_consuming(away))
    writer = Writer(connection, "a")
    writer.begin(1)
    with pytest.raises(UnavailableError) as caught:
        read(connection, [2])
    assert isinstance(caught.value.__cause__, KafkaException)
    assert caught.value.__cause__.args[0].code() == KafkaError._TRANSPORT
    writer.commit()
    assert read(connection, [2]) == [(2, "r1")]


@pytest.mark.medium
def test_records_of_a_partition_that_is_read_are_no_progress(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committed_answers_kafka, "_SILENCE_SECONDS", 0.5)
    other = Message(topic=TOPIC, partition=4, offset=1_000, value=b"another's")
    monkeypatch.setattr(committed_answers_kafka, "Consumer", also_consuming(other))
    writer = Writer(connection, "a")
    writer.begin(1, partition=4)
    writer.commit()
    writer.begin(2)
    with pytest.raises(UnavailableError) as caught:
        read(connection, [2, 4])
    assert caught.value.__cause__ is None
    writer.commit()


@pytest.mark.slow
async def test_a_retention_below_the_window_is_logged_once_for_the_longest_window_that_was_compared(
    connection: KafkaConnection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
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

    def warnings(window: float) -> int:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert [each.id for each in answers.since([2], time.time() - window, 9)] == ["r1"]
        return sum(record.name == committed_answers_kafka.__name__ for record in caplog.records)

    assert [warnings(window) for window in (3_500, 7_200, 7_200, 3_500, 9_000)] == [0, 1, 0, 0, 1]

    def unanswered(_: AdminClient, resources: list[ConfigResource], **__: Any) -> dict[ConfigResource, Future[Any]]:
        answer = Future[Any]()
        answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        return dict.fromkeys(resources, answer)

    with monkeypatch.context() as patch:
        patch.setattr(committed_answers_kafka.AdminClient, "describe_configs", unanswered)
        assert warnings(10_000) == 1, "the retention is unknown"
    assert (warnings(10_000), warnings(10_000)) == (1, 0)


@pytest.mark.slow
def test_a_stop_ends_a_read_that_awaits_a_transaction_and_each_later_one(connection: KafkaConnection) -> None:
    writer, answers = Writer(connection, "a"), KafkaAnswers(connection, "test")
    writer.begin(1)

    def read_all() -> list[str]:
        return [each.id for each in answers.since([2], time.time() - 60.0, 9)]

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read_all)
        with pytest.raises(TimeoutError):
            reading.result(1.0)
        asyncio.run(answers.stop())
        with pytest.raises(UnavailableError):
            reading.result(5.0)
    writer.commit()
    with pytest.raises(UnavailableError):
        read_all()


@pytest.mark.medium
def test_a_stop_ends_a_read_that_awaits_kafka(free_port: Callable[[], int]) -> None:
    answers = KafkaAnswers(KafkaConnection(f"127.0.0.1:{free_port()}"), "test")
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: list(answers.since([2], time.time() - 60.0, 9)))
        with pytest.raises(TimeoutError):
            reading.result(0.5)
        asyncio.run(answers.stop())
        with pytest.raises(UnavailableError):
            reading.result(5.0)


@pytest.mark.medium
def test_kafka_that_does_not_answer_is_an_outage(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed_answers_kafka, "_ANSWER_SECONDS", 1)
    with pytest.raises(UnavailableError):
        read(KafkaConnection(f"127.0.0.1:{free_port()}"), [0])
