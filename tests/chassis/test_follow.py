"""Following topics from positions that the state itself holds, on a real broker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rondo.chassis.failures import UnavailableError
from rondo.chassis.follow import Follower
from rondo.chassis.stream import place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from confluent_kafka import Message


@dataclass
class Saved:
    """What outlives a process: effects and the positions after them, as one."""

    values: list[bytes] = field(default_factory=list)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass
class Store:
    """A state that saves at each turn, unless it is away."""

    saved: Saved
    away: int = 0
    loads: int = 0

    async def load(self) -> Mapping[tuple[str, int], int]:
        """Return the positions."""
        self.loads += 1
        return dict(self.saved.positions)

    async def advance(self, messages: Sequence[Message]) -> None:
        """Save values and positions together."""
        if messages and self.away:
            self.away -= 1
            raise UnavailableError("the store", "it was taken away")
        self.saved.values += [message.value() or b"" for message in messages]
        for message in messages:
            topic, partition, offset = place(message)
            self.saved.positions[topic, partition] = offset + 1


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"follow-{uuid4().hex[:8]}"
    create(kafka, name)
    return name


def create(kafka: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(20)


def send(kafka: str, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number in numbers:
        producer.produce(topic, str(number).encode(), partition=number % 2)
    assert producer.flush(20) == 0


@asynccontextmanager
async def following(kafka: str, topic: str, store: Store) -> AsyncIterator[Follower]:
    follower = Follower(kafka, "test", (topic,), store, linger=0.02)
    task = asyncio.create_task(follower.run())
    yield follower
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited is on the broker
            await asyncio.sleep(0.02)


def everything(count: int) -> list[bytes]:
    return sorted(str(number).encode() for number in range(count))


async def test_each_message_once_over_restarts_and_in_order_within_a_partition(kafka: str, topic: str) -> None:
    saved = Saved()
    for start in range(0, 30, 10):
        send(kafka, topic, range(start, start + 10))
        async with following(kafka, topic, Store(saved)) as follower:
            await until(lambda end=start + 10: len(saved.values) >= end)
            await follower.check()
    assert sorted(saved.values) == everything(30)
    even = [int(value) for value in saved.values if int(value) % 2 == 0]
    assert even == sorted(even)


async def test_while_the_store_is_away_it_loads_again_and_loses_nothing(kafka: str, topic: str) -> None:
    saved = Saved()
    store = Store(saved, away=2)
    send(kafka, topic, range(10))
    async with following(kafka, topic, store):
        await until(lambda: len(saved.values) >= 10)
    assert sorted(saved.values) == everything(10)
    assert store.loads == 3


async def test_a_state_of_another_kafka_is_told_apart(kafka: str, topic: str) -> None:
    send(kafka, topic, range(10))
    store = Store(Saved(positions={(topic, 0): 500}))
    async with following(kafka, topic, store) as follower:
        await until(lambda: store.loads >= 2)
        with pytest.raises(UnavailableError) as raised:
            await follower.check()
    assert (
        f"({topic}-0: it ends at 5, and 500 was read of it before: this is not the Kafka that the "
        "saved state is of, or it lost its end. Give it back its data, or start with an empty state); this will"
    ) in str(raised.value)
    assert store.saved.values == []


async def test_a_topic_that_is_not_there_yet_is_waited_for(kafka: str) -> None:
    name = f"later-{uuid4().hex[:8]}"
    saved = Saved()
    store = Store(saved)
    async with following(kafka, name, store) as follower:
        await until(lambda: store.loads >= 2)
        with pytest.raises(UnavailableError, match="the topic does not exist yet"):
            await follower.check()
        create(kafka, name)
        send(kafka, name, range(4))
        await until(lambda: len(saved.values) >= 4)
    assert sorted(saved.values) == everything(4)
