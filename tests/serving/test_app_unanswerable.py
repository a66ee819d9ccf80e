"""The real service on real Kafka: a request that it can't answer is a dead letter, and stops no other."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.contracts.kafka_connection import KafkaConnection

from tests.serving.prediction_topics import FAILED, MADE, answered, at_least, once, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment


@pytest.mark.slow
def test_an_unanswerable_request_becomes_an_unchanged_dead_letter(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    largest = b"x" * (MAX_REQUEST_BYTES - 200)
    bad: list[tuple[bytes | None, str, str]] = [
        (b"hello", "not_json", "send a JSON object"),
        (None, "null_value", "the message has no value"),
        (b'{"id":"a","model":"delay","features":{"distance":1}}', "missing_feature", "`night` is missing: send true"),
        (b'{"id":"a","model":"unknown","features":{}}', "unknown_model", "models that are deployed: delay"),
        (largest, "not_json", "send a JSON object"),
    ]
    with platform.serving():
        for number, (value, _, _) in enumerate(bad):
            platform.send("predictions.requested", value, f"k{number}", headers=[("mine", b"kept")])
            platform.request(number)
        failed = platform.read(FAILED, at_least(len(bad)), quiet=0.5)
        assert answered(platform.read(MADE, at_least(len(bad)), quiet=0.5)) == once(range(len(bad)))
    dead_letters = {m.key(): (m.value(), dict(m.headers())) for m in failed}
    assert len(failed) == len(bad)
    for number, (value, reason, expected) in enumerate(bad):
        kept, headers = dead_letters[b"k%d" % number]
        assert (kept, headers["reason"], headers["mine"]) == (value, reason.encode(), b"kept")
        assert expected in headers["__dlq.errors.message"].decode()
        assert headers["__dlq.errors.topic"] == b"predictions.requested"


def test_twenty_megabytes_are_refused_at_the_application(platform: ReplicaEnvironment) -> None:
    with pytest.raises(RuntimeError, match="Message size too large"):
        platform.send("predictions.requested", bytes(range(256)) * 80_000, "k")


@pytest.mark.slow
def test_a_request_that_only_compression_made_small_is_refused_and_nothing_stops(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    packing = Producer(
        {**KafkaConnection(platform.bootstrap).confluent(), "compression.type": "gzip", "message.max.bytes": 32 << 20}
    )
    packing.produce("predictions.requested", b" " * (20 << 20), b"huge")
    assert packing.flush(20) == 0
    platform.request(1)
    with platform.serving():
        (dead_letter,) = platform.read(FAILED, at_least(1))
        assert answered(platform.read(MADE, at_least(1))) == once(range(1, 2))
    headers = dict(dead_letter.headers())
    assert (dead_letter.value(), headers["reason"]) == (None, b"too_large")
    assert b"20,971,520 bytes, more than the 1,048,576 that are allowed" in headers["__dlq.errors.message"]


@pytest.mark.slow
def test_no_header_and_no_key_of_a_request_stops_the_others(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    packing = Producer(
        {**KafkaConnection(platform.bootstrap).confluent(), "compression.type": "gzip", "message.max.bytes": 4 << 20}
    )
    packing.produce("predictions.requested", request(1), b"k" * (1 << 20))
    packing.produce("predictions.requested", b"spoiled", b"k", headers=[("long", b"v" * (1 << 20)), ("mine", b"kept")])
    assert packing.flush(20) == 0
    platform.send_unreadable_header(request(2))
    platform.send_unreadable_header(b"spoiled, too")
    platform.request(3)
    with platform.serving():
        failed = platform.read(FAILED, at_least(3), quiet=0.5)
        assert answered(platform.read(MADE, at_least(2), quiet=0.5)) == once(range(2, 4))
    dead_letters = {m.value(): dict(m.headers()) for m in failed}
    assert {value: headers["reason"] for value, headers in dead_letters.items()} == {
        request(1): b"bad_key", b"spoiled": b"not_json", b"spoiled, too": b"not_json",
    }  # fmt: skip
    assert b"the key of 1,048,576 bytes" in dead_letters[request(1)]["__dlq.errors.dropped"]
    assert b"2 headers of 1,048,608 bytes" in dead_letters[b"spoiled"]["__dlq.errors.dropped"]


@pytest.mark.slow
def test_partitions_that_the_requests_alone_gained_stop_nothing(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    admin = AdminClient({**KafkaConnection(platform.bootstrap).confluent(), "log_level": 0})
    grown = NewPartitions("predictions.requested", 12)
    admin.create_partitions([grown])["predictions.requested"].result()
    platform.deploy(1, model())
    asking, failures = Producer(KafkaConnection(platform.bootstrap).confluent()), Counter[bool]()
    while _led(asking, "predictions.requested") < 12:
        time.sleep(0.02)
    for number in range(24):
        value = request(number) if number < 12 else b"spoiled"
        asking.produce(
            "predictions.requested",
            value,
            partition=number % 12,
            on_delivery=lambda e, _: failures.update([e is not None]),
        )
    asking.flush(20)
    assert failures == {False: 24}
    # A new name, because the group would assign a known static member its six old partitions.
    with platform.serving("grown"):
        made = platform.read(MADE, at_least(12), quiet=0.5)
        failed = platform.read(FAILED, at_least(12), quiet=0.5)
    assert answered(made) == once(range(12))
    assert {orjson.loads(m.value())["id"]: m.partition() for m in made} == {f"r{n}": n % 6 for n in range(12)}
    assert Counter(m.partition() for m in failed) == dict.fromkeys(range(6), 2)


def _led(client: Producer, topic: str) -> int:
    partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
    return sum(partition.leader >= 0 for partition in partitions.values())
