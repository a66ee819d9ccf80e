"""A model that answers each id once, on real Kafka: repeated requests around crashes and rebalances."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from rondo.contracts.events import logs
from rondo.contracts.kafka_connection import KafkaConnection

from tests.serving.prediction_topics import MADE, at_least, once
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment

SMALL = {"RONDO_MAX_BATCH": "100", "RONDO_LINGER": "0"}


def values_by_id(messages: list[Any]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        found[orjson.loads(message.value())["id"]].append(message.value())
    return found


def logged(platform: ReplicaEnvironment) -> Counter[str]:
    batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=1)]
    return Counter(each for batch in batches for each in batch.column("id").to_pylist())


def request_all(platform: ReplicaEnvironment, count: int, model: str = "delay", first: int = 0) -> None:
    for number in range(first, first + count):
        platform.request(number, flush=False, model=model)
    platform.flush()


def wait_readers(admin: AdminClient, *replicas: str) -> None:
    """Wait until each replica has partitions of the requests. A replica of an earlier test may still be a member."""
    expected = {f"serving-{replica}" for replica in replicas}

    def found() -> bool:
        [group] = admin.describe_consumer_groups(["serving"]).values()
        try:
            members = group.result(10).members
        except KafkaException:  # its coordinator is being elected
            return False
        return expected <= {member.client_id for member in members if member.assignment.topic_partitions}

    asyncio.run(until(found, 60))


def answer_before_a_crash(platform: ReplicaEnvironment, content: bytes) -> None:
    """Have 50 requests to each of two models answered by a replica, and kill it. One model deduplicates."""
    platform.deploy(1, content, deduplicate=timedelta(minutes=10))
    platform.deploy(1, content, model="price")
    request_all(platform, 50)
    request_all(platform, 50, "price")
    with platform.serving() as process:
        platform.read(MADE, at_least(100))
        process.kill()


@pytest.mark.slow
def test_a_request_that_is_sent_again_after_a_restart_gets_the_same_answer(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    answer_before_a_crash(platform, model())
    request_all(platform, 50)
    request_all(platform, 50, "price")
    with platform.serving():
        made = platform.read(MADE, at_least(200), quiet=0.5)
    by_model: dict[str, list[Any]] = defaultdict(list)
    for each in made:
        by_model[orjson.loads(each.value())["model"]].append(each)
    assert {(len(values), len(set(values))) for values in values_by_id(by_model["delay"]).values()} == {(2, 1)}
    assert {(len(values), len(set(values))) for values in values_by_id(by_model["price"]).values()} == {(2, 2)}
    assert logged(platform) == Counter(dict.fromkeys(once(range(50)), 3))


@pytest.mark.slow
def test_repeated_requests_are_scored_and_logged_once_across_kills_and_rebalances(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    count = 3_000
    platform.deploy(1, model(), deduplicate=timedelta(minutes=10))
    request_all(platform, count)
    with platform.serving("a", **SMALL) as process:
        platform.read(MADE, at_least(count // 3))
        process.kill()
    request_all(platform, count)
    with platform.serving("a", **SMALL) as first:
        platform.read(MADE, at_least(count))
        with platform.serving("b", **SMALL):
            platform.wait_replica("available", 1, times=3)
            request_all(platform, count)
            platform.read(MADE, at_least(2 * count))
            first.kill()
            request_all(platform, count)
            made = platform.read(MADE, at_least(4 * count), seconds=90, quiet=1)
    values = values_by_id(made)
    assert {each: len(found) for each, found in values.items()} == dict.fromkeys(once(range(count)), 4)
    assert {len(set(found)) for found in values.values()} == {1}
    assert logged(platform) == once(range(count))


@pytest.mark.slow
def test_a_partition_that_comes_back_has_the_answers_that_its_owner_in_between_made(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model(), deduplicate=timedelta(minutes=10))
    admin = AdminClient(KafkaConnection(platform.bootstrap).confluent())
    request_all(platform, 50)
    with platform.serving("stays"):
        platform.read(MADE, at_least(50))
        with platform.serving("leaves") as other:
            wait_readers(admin, "stays", "leaves")
            request_all(platform, 50, first=50)
            platform.read(MADE, at_least(100))
            assert other.stop() == 0
        request_all(platform, 50, first=50)
        made = platform.read(MADE, at_least(150), quiet=0.5)
    values = values_by_id(made)
    again = {f"r{number}" for number in range(50, 100)}
    assert {each for each, found in values.items() if len(found) == 2} == again
    assert {len(set(found)) for found in values.values()} == {1}


@pytest.mark.slow
def test_a_stop_does_not_await_a_transaction_among_the_answers(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model(), deduplicate=timedelta(minutes=10))
    request_all(platform, 50)
    admin = AdminClient(KafkaConnection(platform.bootstrap).confluent())
    other = Producer({**KafkaConnection(platform.bootstrap).confluent(), "transactional.id": "other"})
    other.init_transactions(30)
    other.begin_transaction()

    with platform.serving("stops") as process:
        for partition in admin.list_topics(MADE, timeout=10).topics[MADE].partitions:
            other.produce(MADE, b"not committed", b"k", partition)
        other.flush(30)
        wait_readers(admin, "stops")
        process.signal(signal.SIGTERM)
        assert process.wait(15) == 0
    other.abort_transaction(30)


@pytest.mark.slow
def test_an_open_transaction_among_the_answers_of_a_partition_stalls_that_partition_of_that_model_alone(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    answer_before_a_crash(platform, model())
    other = Producer({**KafkaConnection(platform.bootstrap).confluent(), "transactional.id": "other"})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce(MADE, b"{}", partition=0)
    assert not other.flush(10)
    request_all(platform, 50)
    request_all(platform, 50, "price", first=50)
    # A reader sees no answer in partition 0 while the transaction is open.
    blocked = {m.key() for m in platform.read("predictions.requested", at_least(200)) if m.partition() == 0}
    expected = [f"k{number}".encode() for number in range(50)] + [f"k{number}".encode() for number in range(50, 100)]
    visible = sum(key not in blocked for key in expected)
    assert visible < len(expected)
    with platform.serving(RONDO_QUEUE_AFTER="0.25"):
        made = platform.read(MADE, at_least(100 + visible), seconds=25)
        logged_then = platform.read(logs.PREDICTIONS_LOG, lambda found: logged_rows(found)["price"] >= 100, seconds=25)
        assert logged_rows(logged_then) == {"delay": 50, "price": 100}, "also the requests of partition 0"
        other.abort_transaction()
        made = platform.read(MADE, at_least(200), quiet=1)
    values = [m.value() for m in made if orjson.loads(m.value())["model"] == "delay"]
    assert Counter(Counter(values).values()) == {2: 50}, "each is answered again"
    assert len(made) == 200


def logged_rows(messages: list[Any]) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for message in messages:
        batch = logs.decode(message.value())
        rows[logs.metadata(batch)["model"]] += batch.num_rows
    return rows
