"""Following topics from positions that the state itself holds, on a real broker."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client import REGISTRY
from rondo.chassis.errors import Backoff, PanicError, UnavailableError
from rondo.chassis.kafka_records import place
from rondo.chassis.stream import follower as follow
from rondo.chassis.stream.follower import Follower
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from confluent_kafka import Message


@dataclass
class Saved:
    """The saved state of a process: effects and the positions after them."""

    values: list[bytes] = field(default_factory=list)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass
class Store:
    """A state that saves at each `advance` unless unavailable. `caught_up_with` counts the values at each catch-up."""

    skips: ClassVar[bool] = True

    saved: Saved
    unavailable: int = 0
    loads: int = 0
    caught_up_with: list[int] = field(default_factory=list)

    def caught_up(self) -> None:
        """Record a catch-up."""
        self.caught_up_with.append(len(self.saved.values))

    async def load(self) -> Mapping[tuple[str, int], int]:
        self.loads += 1
        return dict(self.saved.positions)

    async def advance(self, messages: Sequence[Message]) -> None:
        """Save values and positions together."""
        if messages and self.unavailable:
            self.unavailable -= 1
            raise UnavailableError("the store", "it was removed")
        self.saved.values += [message.value() or b"" for message in messages]
        for message in messages:
            topic, partition, offset = place(message)
            self.saved.positions[topic, partition] = offset + 1


@dataclass
class Held(Store):
    """A slow state: after the first messages it waits for `release`."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def advance(self, messages: Sequence[Message]) -> None:
        """Save once it is released."""
        if self.saved.values:
            await self.go_on.wait()
        await super().advance(messages)


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"follow-{uuid4().hex[:8]}"
    create(kafka, name)
    return name


def create(kafka: str, name: str) -> None:
    admin = AdminClient(KafkaConnection(kafka).confluent())
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(20)


def send(kafka: str, topic: str, numbers: range) -> None:
    producer = Producer(KafkaConnection(kafka).confluent())
    for number in numbers:
        producer.produce(topic, str(number).encode(), partition=number % 2)
    assert producer.flush(20) == 0


@asynccontextmanager
async def following(kafka: str, topic: str, store: Store, **options: Any) -> AsyncIterator[Follower]:
    follower = Follower(
        KafkaConnection(kafka),
        "test",
        (topic,),
        store,
        max_records=4,
        linger=0.02,
        caught_up=store.caught_up,
        **options,
    )
    task = asyncio.create_task(follower.run())
    yield follower
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


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


async def test_followers_share_the_partitions_of_a_topic(kafka: str, topic: str) -> None:
    send(kafka, topic, range(20))
    even, odd = Store(Saved()), Store(Saved())
    async with (
        following(kafka, topic, even, rank=lambda partition: 0 if partition == 0 else None),
        following(kafka, topic, odd, rank=lambda partition: 0 if partition == 1 else None),
    ):
        await until(lambda: even.caught_up_with == odd.caught_up_with == [10])
        send(kafka, topic, range(20, 22))
        await until(lambda: len(even.saved.values) == len(odd.saved.values) == 11)
    assert sorted(even.saved.values + odd.saved.values) == everything(22)
    assert {int(value) % 2 for value in even.saved.values} == {0}


async def test_partitions_of_a_higher_rank_are_read_after_the_lower_ones(kafka: str, topic: str) -> None:
    send(kafka, topic, range(40))
    store = Store(Saved())
    async with following(kafka, topic, store, rank=lambda partition: 1 - partition):
        await until(lambda: store.caught_up_with == [40])
        # From then on it reads all of them.
        send(kafka, topic, range(40, 50))
        await until(lambda: len(store.saved.values) == 50)
    values = list(map(int, store.saved.values))
    assert values[:40] == [*range(1, 40, 2), *range(0, 40, 2)]
    assert sorted(values) == list(range(50))


async def test_a_rank_without_messages_delays_none(kafka: str, topic: str) -> None:
    store = Store(Saved())
    async with following(kafka, topic, store, rank=lambda partition: partition):
        await until(lambda: store.caught_up_with == [0])
        send(kafka, topic, range(10))
        await until(lambda: len(store.saved.values) == 10)


async def test_a_follower_reloads_and_loses_nothing_while_the_store_is_unavailable(kafka: str, topic: str) -> None:
    saved = Saved()
    store = Store(saved, unavailable=2)
    send(kafka, topic, range(10))
    async with following(kafka, topic, store):
        await until(lambda: len(saved.values) >= 10)
    assert sorted(saved.values) == everything(10)
    assert store.loads == 3


def transact(kafka: str, topic: str, numbers: range) -> None:
    producer = Producer({**KafkaConnection(kafka).confluent(), "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    for number in numbers:
        producer.produce(topic, str(number).encode(), partition=number % 2)
    producer.commit_transaction(20)
    # The ends of a transaction are written after its commit is answered, and only then is it there for a reader.
    until = time.monotonic() + 20
    while _ends(kafka, topic, "read_committed") != _ends(kafka, topic, "read_uncommitted"):
        assert time.monotonic() < until
        time.sleep(0.01)


def _ends(kafka: str, topic: str, isolation: str) -> list[int]:
    asking = Consumer({**KafkaConnection(kafka).confluent(), "group.id": "unused", "isolation.level": isolation})
    ends = [asking.get_watermark_offsets(TopicPartition(topic, partition), 10)[1] for partition in (0, 1)]
    asking.close()
    return ends


async def test_caught_up_is_called_once_after_each_load(kafka: str, topic: str) -> None:
    store = Store(Saved())
    transact(kafka, topic, range(10))
    async with following(kafka, topic, store):
        await until(lambda: store.caught_up_with == [10])
        transact(kafka, topic, range(10, 14))
        await until(lambda: len(store.saved.values) == 14)
    async with following(kafka, topic, store):
        await until(lambda: store.caught_up_with == [10, 14])


async def test_the_lag_is_reported_until_the_follower_has_caught_up(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_LAG_SECONDS", 0.0)
    store = Held(Saved())
    send(kafka, topic, range(0, 20, 2))
    async with following(kafka, topic, store):
        await until(lambda: bool(store.saved.values) and lag() == 10 - len(store.saved.values))
        assert 6 <= 10 - len(store.saved.values) < 10
        store.go_on.set()
        await until(lambda: lag() == 0)
    assert len(store.saved.values) == 10
    assert lag() is None, "what nobody follows any more has no lag"


def lag() -> float | None:
    return REGISTRY.get_sample_value("rondo_stream_lag_records", {"stream": "test"})


async def test_a_state_of_another_kafka_is_refused(kafka: str, topic: str) -> None:
    send(kafka, topic, range(10))
    store = Store(Saved(positions={(topic, 0): 500}))
    async with following(kafka, topic, store) as follower:
        await until(lambda: store.loads >= 2)
        with pytest.raises(UnavailableError) as raised:
            await follower.check()
    assert f"{topic}-0: it ends at 5, but 500 was read before" in str(raised.value)
    assert store.saved.values == []


async def test_a_topic_that_is_not_there_yet_is_waited_for(kafka: str) -> None:
    name = f"later-{uuid4().hex[:8]}"
    saved = Saved()
    store = Store(saved)
    async with following(kafka, name, store) as follower:
        await until(lambda: store.loads >= 2)
        with pytest.raises(UnavailableError) as caught:
            await follower.check()
        assert name in caught.value.why
        create(kafka, name)
        send(kafka, name, range(4))
        await until(lambda: len(saved.values) >= 4)
    assert sorted(saved.values) == everything(4)


class Panic(BaseException):
    """A panic like one of PyO3."""


@dataclass
class Picky(Store):
    """A state that fails on some values. Values before them in the same call are not saved."""

    bad: frozenset[bytes] = frozenset()
    tried: list[bytes] = field(default_factory=list)

    async def advance(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if (value := message.value() or b"") in self.bad:
                self.tried.append(value)
                raise Panic(value)
        await super().advance(messages)


def skipped() -> float:
    return REGISTRY.get_sample_value("rondo_stream_skipped_records_total", {"stream": "test"}) or 0.0


async def test_a_message_that_fails_alone_is_skipped_and_the_others_arrive_once(kafka: str, topic: str) -> None:
    send(kafka, topic, range(40))
    before, state = skipped(), Picky(Saved(), bad=frozenset([b"7", b"30", b"39"]))
    async with following(kafka, topic, state) as follower:
        await until(lambda: len(state.saved.values) >= 37 and state.saved.positions[topic, 0] == 20)
        send(kafka, topic, range(40, 44))
        await until(lambda: len(state.saved.values) >= 41)
        await follower.check()
    assert sorted(state.saved.values) == sorted(set(everything(44)) - state.bad)
    assert skipped() - before == 3
    assert state.saved.positions == {(topic, 0): 22, (topic, 1): 22}


async def test_a_skip_is_logged_with_the_place_the_key_and_the_last_error(
    kafka: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    producer = Producer(KafkaConnection(kafka).confluent())
    for value in (b"0", b"1", b"2"):
        producer.produce(topic, value, key=b"key of " + value, partition=0)
    assert producer.flush(20) == 0
    state = Picky(Saved(), bad=frozenset([b"1"]))
    async with following(kafka, topic, state):
        await until(lambda: state.saved.positions.get((topic, 0)) == 3)
    [skip] = [each.message for each in caplog.records if "is skipped" in each.message]
    assert skip == f"test: offset 1 of {topic}-0 (key b'key of 1') is skipped: PanicError: Panic: b'1'"


async def test_messages_that_all_fail_are_not_skipped_but_end_the_follower(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "Backoff", lambda **_: Backoff(first=0.001, cap=0.001))
    send(kafka, topic, range(60))
    state = Picky(Saved(), bad=frozenset(everything(60)))
    follower = Follower(KafkaConnection(kafka), "test", (topic,), state, linger=0.02)
    with pytest.raises(PanicError):
        await asyncio.wait_for(follower.run(), 60)
    assert len(state.tried) == 21
    assert state.saved.values == []


class Buffering(Picky):
    """A state whose errors may have earlier messages as their cause."""

    skips: ClassVar[bool] = False


async def test_a_state_that_skips_nothing_ends_at_its_first_error(kafka: str, topic: str) -> None:
    send(kafka, topic, range(4))
    state = Buffering(Saved(), bad=frozenset([b"2"]))
    follower = Follower(KafkaConnection(kafka), "test", (topic,), state, max_records=1, linger=0.02)
    with pytest.raises(PanicError):
        await asyncio.wait_for(follower.run(), 20)
    assert (state.tried, state.loads) == ([b"2"], 1)
    assert b"2" not in state.saved.values


async def test_an_error_without_a_message_ends_the_follower(kafka: str, topic: str) -> None:
    class Panicking(Store):
        async def advance(self, messages: Sequence[Message]) -> None:
            raise Panic(len(messages))

    follower = Follower(KafkaConnection(kafka), "test", (topic,), Panicking(Saved()), linger=0.02)
    with pytest.raises(PanicError):
        await asyncio.wait_for(follower.run(), 20)
