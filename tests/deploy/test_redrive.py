"""Dead letters can be listed, and published again on their source topic, as the runbook describes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from rondo.chassis.events import broker as chassis_kafka
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import Topic

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/redrive.py"


@pytest.fixture
def topics(kafka: str) -> tuple[str, str]:
    """Return the names of two new topics: the source of events, and their dead letters."""
    source = f"source-{uuid4().hex[:8]}"
    names = (source, f"{source}.dead-letters")
    chassis_kafka.create_topics(KafkaConnection(kafka), [Topic(name, "test", (), "", partitions=3) for name in names])
    return names


def dead_letter(kafka: str, topics: tuple[str, str], number: int, **about: str) -> None:
    about_error = {
        "topic": topics[0],
        "partition": "2",
        "offset": str(number),
        "message": f"no, {number}: \t not so",
        **about,
    }
    headers = {"ce_id": f"event-{number}", "reason": "no"}
    headers |= {f"__dlq.errors.{name}": value for name, value in about_error.items()}
    producer = Producer(KafkaConnection(kafka).confluent())
    producer.produce(topics[1], b'{"n": %d}' % number, b"key", partition=0, headers=headers)
    producer.flush()


def redrive(kafka: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = os.environ | {"RONDO_KAFKA": kafka}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def arrived(kafka: str, topic: str) -> list[Message]:
    consumer = Consumer({**KafkaConnection(kafka).confluent(), "group.id": "unused", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    found, ended = list[Message](), set[int | None]()
    while len(ended) < 3:
        for message in consumer.consume(10, 0.5):
            if error := message.error():
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition())
            else:
                found.append(message)
    consumer.close()
    return found


@pytest.mark.slow
def test_dead_letters_are_listed_with_their_origin_and_cause(kafka: str, topics: tuple[str, str]) -> None:
    for number in (7, 8):
        dead_letter(kafka, topics, number)
    assert redrive(kafka, topics[1]).stdout.splitlines() == [
        f"0:0  from {topics[0]}-2-7  no, 7: \t not so",
        f"0:1  from {topics[0]}-2-8  no, 8: \t not so",
    ]
    assert arrived(kafka, topics[0]) == []


def test_the_chosen_one_is_published_again_as_it_was(kafka: str, topics: tuple[str, str]) -> None:
    for number in (7, 8):
        dead_letter(kafka, topics, number)
    assert redrive(kafka, topics[1], "0:1").stdout == f"published again: 0:1  from {topics[0]}-2-8  no, 8: \t not so\n"
    (again,) = arrived(kafka, topics[0])
    assert (again.key(), again.value(), again.headers()) == (b"key", b'{"n": 8}', [("ce_id", b"event-8")])
    assert again.partition() == 2, "where it was, whichever partitioner its writer has"


@pytest.mark.slow
def test_what_is_compacted_is_never_published_again(kafka: str, topics: tuple[str, str]) -> None:
    compacted = f"{topics[0]}.compacted"
    chassis_kafka.create_topics(
        KafkaConnection(kafka), [Topic(compacted, "test", (), "", partitions=3, cleanup="compact")]
    )
    dead_letter(kafka, (compacted, topics[1]), 7)
    done = redrive(kafka, topics[1], "0:0")
    assert done.returncode == 1
    assert f"{compacted} is compacted" in done.stderr
    assert arrived(kafka, compacted) == []


def test_without_arguments_it_prints_the_usage(kafka: str) -> None:
    done = redrive(kafka)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python deploy/redrive.py <")


@pytest.mark.slow
def test_a_missing_or_truncated_dead_letter_is_an_error_and_nothing_is_published(
    kafka: str, topics: tuple[str, str]
) -> None:
    dead_letter(kafka, topics, 7, dropped="the value of 9,000,000 bytes")
    assert redrive(kafka, topics[1], "0:5").stderr == f"{topics[1]} has nothing at 0:5; it has 0:0\n"
    truncated = redrive(kafka, topics[1], "0:0")
    assert truncated.returncode == 1
    assert "source topic" in truncated.stderr
    assert "topic nonsense: " in redrive(kafka, "nonsense").stderr
    assert arrived(kafka, topics[0]) == []
