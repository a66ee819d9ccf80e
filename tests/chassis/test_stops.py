"""A stop does not wait for an unavailable Kafka, because supervisors kill a service after ten seconds."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.kafka_records import Records
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.follower import Follower
from rondo.chassis.stream.transactions import Transactions
from rondo.chassis.stream.transform import Output
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import Topic
from rondo.embedded.kafka.broker import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

SOURCE, TARGET, DEAD_LETTERS = "source", "target", "dead-letters"


class Copy:
    """Copies values, and calls a function between the writes and the commit."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self._then = then

    def __call__(self, messages: Sequence[Any]) -> Output:
        nothing = [None] * len(messages)
        records = Records(TARGET, [m.value() for m in messages], nothing, [0] * len(messages))
        self._then()
        return Output([records])


class Nothing:
    """An empty state."""

    skips: ClassVar[bool] = True

    async def load(self) -> Mapping[tuple[str, int], int]:
        return {}

    async def advance(self, messages: Sequence[Any]) -> None:
        pass


def stream(bootstrap: str, copy: Copy) -> ExactlyOnceStream:
    return ExactlyOnceStream(StreamSettings(KafkaConnection(bootstrap), "copies", "a", (SOURCE,), DEAD_LETTERS), copy)


async def stop(running: asyncio.Task[None]) -> None:
    """Stop it as a service does. Fails if a supervisor would kill it."""
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=8)
    assert done == {running}


@pytest.mark.parametrize(
    "run",
    [
        lambda closed_port: stream(closed_port, Copy()).run(),
        lambda closed_port: Follower(KafkaConnection(closed_port), "f", (SOURCE,), Nothing()).run(),
    ],
    ids=["stream", "follower"],
)
async def test_at_the_start(run: Callable[[str], Coroutine[Any, Any, None]], free_port: Callable[[], int]) -> None:
    running = asyncio.create_task(run(f"127.0.0.1:{free_port()}"))
    await asyncio.sleep(1)  # by now it tries to connect
    await stop(running)


@pytest.mark.slow
async def test_in_the_middle_of_a_transaction(tmp_path: Path) -> None:
    async with Kafka(tmp_path) as server:
        chassis_kafka.create_topics(
            KafkaConnection(server.bootstrap), [Topic(name, "t", (), "") for name in (SOURCE, TARGET, DEAD_LETTERS)]
        )
        producer = Producer({**KafkaConnection(server.bootstrap).confluent(), "log_level": 0})
        producer.produce(SOURCE, b"1")
        producer.flush(10)
        loop, dead = asyncio.get_running_loop(), asyncio.Event()

        def die() -> None:
            server.kill()
            loop.call_soon_threadsafe(dead.set)

        running = asyncio.create_task(stream(server.bootstrap, Copy(die)).run())
        async with asyncio.timeout(30):
            await dead.wait()
        await stop(running)


@pytest.mark.slow
async def test_between_what_was_written_and_its_offsets(tmp_path: Path) -> None:
    """This call of librdkafka ignores its timeout."""
    async with Kafka(tmp_path) as server:
        chassis_kafka.create_topics(
            KafkaConnection(server.bootstrap), [Topic(name, "t", (), "") for name in (SOURCE, TARGET, DEAD_LETTERS)]
        )
        settings, stopped = (
            StreamSettings(KafkaConnection(server.bootstrap), "copies", "a", (SOURCE,), DEAD_LETTERS),
            threading.Event(),
        )
        settings = replace(settings, hung_after=2)
        consumer = Consumer(settings.consumer_config())
        consumer.subscribe([SOURCE])
        await asyncio.to_thread(consumer.poll, 5)
        transactions = await asyncio.to_thread(Transactions, settings, stopped, logging.getLogger("librdkafka"))
        transactions.begin()
        transactions.producer.produce(TARGET, b"1")
        await asyncio.to_thread(transactions.producer.flush, 10)
        server.kill()
        stopped.set()
        began = time.monotonic()
        assert not transactions.hung
        offsets, group = [TopicPartition(SOURCE, 0, 1)], consumer.consumer_group_metadata()
        committing = asyncio.create_task(asyncio.to_thread(transactions.commit, offsets, group))
        while not transactions.hung:
            assert not committing.done()
            await asyncio.sleep(0.1)
        with pytest.raises(KafkaException):
            await committing
        assert not transactions.hung
        transactions.abort()
        assert time.monotonic() - began < 9
        consumer.close()


class Hung:
    """Transactions with a call that does not return."""

    hung = True


async def test_a_call_that_does_not_return_ends_the_process(
    free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread can't be stopped, and no other replica gets the partitions of a stream that hangs."""
    ended = asyncio.Event()
    settings = StreamSettings(KafkaConnection(f"127.0.0.1:{free_port()}"), "copies", "a", (SOURCE,), DEAD_LETTERS)
    copying = ExactlyOnceStream(settings, Copy(), end_process=ended.set)
    copying._transactions = Hung()  # type: ignore[assignment]
    running = asyncio.create_task(copying.run())
    async with asyncio.timeout(10):
        await ended.wait()
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    await stop(running)
