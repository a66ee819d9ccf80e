"""Sending and counting on real Kafka: messages that did not arrive are reported, and late answers are counted."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from rondo.chassis.events.broker import create_topics
from rondo.contracts.events.predictions import PredictionMade, PredictionRequested
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded import Kafka
from rondo.flights.errors import NotDeliveredError, UnreadableError
from rondo.flights.observers.auditor import Auditor, compared_output
from rondo.flights.observers.backlog import Backlog
from rondo.flights.observers.readers import reading
from rondo.flights.replay.schedule import EventClock, Tick
from rondo.flights.replay.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2013, 3, 1, tzinfo=UTC)
AT_ONCE = EventClock(NOW, timedelta(days=1))
NOWHERE = KafkaConnection("127.0.0.1:1")


@pytest.fixture
def connection(clean_kafka: str) -> KafkaConnection:
    found = KafkaConnection(clean_kafka)
    create_topics(found)
    # The partitions of new topics get their leaders a moment later.
    assert Backlog(found).wait_until_done(60) == 0
    return found


@pytest.mark.parametrize(
    ("output", "compared"),
    [
        ({"score": 0.7, "label": 1}, 0.7),
        ({"label": "late", "probabilities": {"late": 0.6}, "score": 0.6}, "late"),
        ({"value": 7, "low": 1.0, "high": 9.0}, 7),
        ({}, None),
    ],
)
def test_the_output_that_is_compared_with_the_outcome(output: dict[str, object], compared: object) -> None:
    assert compared_output(output) == compared


def due(*ids: str) -> Tick:
    return Tick(NOW, [(each.encode(), orjson.dumps({"id": each})) for each in ids], [])


def ask(connection: KafkaConnection, *ids: str) -> None:
    Sender(connection, [due(*ids)], AT_ONCE).run()


class Serving:
    """Answers in transactions under the consumer group of the service. The test controls its pace."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._consumer = Consumer({**connection.confluent(), "group.id": "serving", "log_level": 0})
        self._producer = Producer({**connection.confluent(), "transactional.id": "stand-in", "log_level": 0})
        self._producer.init_transactions()
        self._connection = connection

    def begin(self, *ids: str) -> None:
        """Answer in a transaction that stays open."""
        self._producer.begin_transaction()
        for each in ids:
            answer = {"id": each, "model_version": 1, "output": {"score": 0.5}, "made_at": NOW.isoformat()}
            self._producer.produce(PredictionMade.topic, orjson.dumps(answer), each)
        self._producer.flush(10)

    def end(self) -> None:
        self._producer.commit_transaction()

    def commit_offsets(self) -> None:
        """Commit in the transaction that every request has been read."""
        topic = PredictionRequested.topic
        places = [
            TopicPartition(topic, p) for p in self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, timeout=10)[1]
        self._producer.send_offsets_to_transaction(places, self._consumer.consumer_group_metadata())

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def serving(connection: KafkaConnection) -> Iterator[Serving]:
    stand_in = Serving(connection)
    yield stand_in
    stand_in.close()


def test_what_kafka_never_acknowledged_is_an_error_and_no_silence() -> None:
    sender = Sender(NOWHERE, [due("a", "b", "c")], AT_ONCE, timeout=0.5)
    with pytest.raises(NotDeliveredError) as caught:
        sender.run()
    assert (caught.value.code, caught.value.count) == ("not_delivered", 3)
    assert "kafka.log" in str(caught.value)


def test_a_stopped_replay_does_not_wait() -> None:
    def endless() -> Iterator[Tick]:
        while True:
            yield due("a")

    sender = Sender(NOWHERE, endless(), AT_ONCE)
    running = threading.Thread(target=sender.run)
    running.start()
    sender.stop()
    running.join(10)
    assert not running.is_alive()


def test_a_replay_that_is_late_does_not_catch_up() -> None:
    """Two ticks are a second apart, and the first is sent three seconds late."""
    seconds = iter((0.0, 3.0, 3.0, 3.5, 4.0))
    clock = EventClock(NOW, timedelta(days=1), lambda: next(seconds))
    waits = [Tick(NOW + timedelta(days=days), [], []) for days in (0, 1)]
    sender = Sender(NOWHERE, waits, clock)
    waited: list[float] = []
    sender._stop.wait = waited.append  # type: ignore[method-assign,assignment]
    sender.run()
    assert (len(waited), sender.progress.behind) == (1, 0.0)


def test_a_wait_for_an_unavailable_kafka_ends_at_a_stop() -> None:
    sender, backlog = Sender(NOWHERE, [due("a")], AT_ONCE), Backlog(NOWHERE, timeout=0.2)
    waits = (sender.run, lambda: backlog.wait_until_done(60))
    threads = [threading.Thread(target=wait, daemon=True) for wait in waits]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    sender.stop()
    backlog.stop()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.slow
def test_readers_are_let_go_of_at_once_when_the_body_fails(tmp_path: Path) -> None:
    """This happens on Ctrl-C. The auditor then does not read to the end, which it could not do if Kafka has died."""
    began = 0.0

    def fails_without_kafka() -> None:
        nonlocal began
        with reading(KafkaConnection(kafka.bootstrap)) as readers:
            while not readers.auditor.ledger.requests:
                time.sleep(0.05)
            kafka.kill()
            began = time.monotonic()
            raise KeyboardInterrupt

    with Kafka(tmp_path / "kafka") as kafka:
        create_topics(KafkaConnection(kafka.bootstrap))
        ask(KafkaConnection(kafka.bootstrap), "a")
        with pytest.raises(KeyboardInterrupt):
            fails_without_kafka()
        assert time.monotonic() - began < 15


@pytest.mark.slow
def test_the_backlog_is_what_serving_has_not_committed(connection: KafkaConnection) -> None:
    backlog = Backlog(connection)
    ask(connection, *"abc")
    assert backlog.wait_until_done(0.5) == 3
    with serving(connection) as stand_in:
        stand_in.begin("a")
        stand_in.commit_offsets()
        assert backlog.wait_until_done(0.5) == 3
        stand_in.end()
        assert backlog.wait_until_done(30) == 0
        stand_in.begin("b")
        assert backlog.wait_until_done(0.5) == 1, "an answer is in a transaction that is not over"
        stand_in.end()
        assert backlog.wait_until_done(30) == 0


def test_without_kafka_the_backlog_is_unknown() -> None:
    with pytest.raises(UnreadableError) as caught:
        Backlog(NOWHERE, timeout=0.2).wait_until_done(0)
    assert caught.value.code == "unreadable"


@pytest.mark.slow
async def test_a_second_answer_after_all_are_answered_is_counted(connection: KafkaConnection) -> None:
    ask(connection, "a")
    with serving(connection) as stand_in, reading(connection) as readers:
        stand_in.begin("a")
        stand_in.end()
        while not readers.auditor.ledger.responses:  # noqa: ASYNC110 - another thread's count
            await asyncio.sleep(0.05)
        # There are as many answers as requests. However, serving has not committed this request yet, and answers it
        # again.
        closing = asyncio.create_task(readers.close(30))
        ended, _ = await asyncio.wait([closing], timeout=1)
        assert not ended
        stand_in.begin("a")
        stand_in.commit_offsets()
        stand_in.end()
        assert await closing == 0
    assert readers.auditor.ledger.doubled() == ["a"]


@pytest.mark.slow
async def test_an_unfinished_backlog_is_reported_in_requests(connection: KafkaConnection) -> None:
    ask(connection, "a", "b")
    with reading(connection) as readers:
        assert await readers.close(3) == 2
    assert sorted(readers.auditor.ledger.lost()) == ["a", "b"]


@pytest.mark.slow
def test_the_last_reading_ends_when_kafka_does_not_answer_any_more(tmp_path: Path) -> None:
    with Kafka(tmp_path / "kafka") as kafka:
        create_topics(KafkaConnection(kafka.bootstrap))
        ask(KafkaConnection(kafka.bootstrap), "a")
        auditor = Auditor(KafkaConnection(kafka.bootstrap), timeout=1)
        failures: list[Exception] = []

        def read() -> None:
            try:
                auditor.run()
            except UnreadableError as error:
                failures.append(error)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        while not auditor.ledger.requests:
            time.sleep(0.05)
        kafka.kill()
        auditor.finish()
        reader.join(30)
    assert not reader.is_alive()
    [failure] = failures
    assert re.search(r" 1 s; .*kafka\.log", str(failure))
