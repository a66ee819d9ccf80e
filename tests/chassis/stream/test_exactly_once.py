"""The exactly-once stream on real Kafka: aborted output is invisible, its input is read again, nothing is doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from polars.exceptions import PanicException
from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import Record, Records
from rondo.chassis.stream import hanging_transactions
from rondo.chassis.stream.poison_pill import MAX_CONSECUTIVE
from rondo.contracts.kafka_connection import KafkaConnection

from tests.chassis.stream.copies import Copy, Topics, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Stumbling(Copy):
    """Copies, but fails on a micro-batch with one of these values. Its output for `huge` is too large for any topic."""

    def __init__(
        self, target: str, *poison: bytes, huge: bytes = b"", error: type[BaseException] = RuntimeError
    ) -> None:
        super().__init__(target)
        self.poison, self.huge, self.error = poison, huge, error

    def records(self, messages: Sequence[Any]) -> Iterable[Record | Records]:
        yield from super().records(messages)
        for message in messages:
            if message.value() in self.poison:
                raise self.error(message.value())
            if message.value() == self.huge:
                yield Record(self.target, bytes(2 * 1024 * 1024))


@pytest.mark.slow
async def test_records_keep_their_keys_and_partitions(topics: Topics) -> None:
    topics.fill(500)
    copy = Copy(topics.target)
    async with running(stream := topics.stream(copy, max_records=100)):
        found = await asyncio.to_thread(topics.read, 500)
        await stream.polling.wait()
        await stream.check()
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(500))
    source = Consumer({**KafkaConnection(topics.bootstrap).confluent(), "group.id": "r"})
    source.assign([TopicPartition(topics.source, p, 0) for p in range(4)])
    asked: list[Any] = []
    while len(asked) < 500:
        asked += source.consume(500, 0.1)
    source.close()
    assert {m.key(): m.partition() for m in found} == {m.key(): m.partition() for m in asked}
    assert copy.commits == copy.calls


async def test_the_output_of_an_aborted_transaction_is_invisible_and_its_records_are_read_again(topics: Topics) -> None:
    topics.fill(100)
    copy = Copy(topics.target, fails=3)
    async with running(topics.stream(copy)):
        found = await asyncio.to_thread(topics.read, 100)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(100))
    assert copy.commits == copy.calls - 3


@pytest.mark.slow
@pytest.mark.parametrize(("error", "name"), [(RuntimeError, b"RuntimeError"), (PanicException, b"PanicError")])
async def test_a_message_that_the_transform_can_not_take_becomes_a_dead_letter_and_the_others_go_on(
    topics: Topics, error: type[BaseException], name: bytes
) -> None:
    topics.fill(60)
    async with running(topics.stream(stumbling := Stumbling(topics.target, b"7", b"41", error=error))):
        found = await asyncio.to_thread(topics.read, 58)
        topics.fill(60)
        found = await asyncio.to_thread(topics.read, 116)
        dead_letters = await asyncio.to_thread(topics.dead_letters, 4)
    kept = [b"%d" % n for n in range(60) if n not in (7, 41)]
    assert Counter(m.value() for m in found) == Counter(2 * kept)
    assert Counter(m.value() for m in dead_letters) == {b"7": 2, b"41": 2}
    headers = dict(dead_letters[0].headers())
    assert headers["__dlq.errors.exception"] == name
    assert headers["reason"] == b"unprocessable"
    assert stumbling.commits < 116, "the others share micro-batches again"


@pytest.mark.slow
async def test_a_message_whose_answer_no_topic_takes_becomes_a_dead_letter(topics: Topics) -> None:
    topics.fill(20)
    async with running(topics.stream(Stumbling(topics.target, huge=b"13"))):
        found = await asyncio.to_thread(topics.read, 19)
        [dead_letter] = await asyncio.to_thread(topics.dead_letters, 1)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(20) if n != 13)
    assert dead_letter.value() == b"13"


@pytest.mark.slow
async def test_a_transform_that_fails_on_everything_dead_letters_a_few_and_pauses(topics: Topics) -> None:
    topics.fill(MAX_CONSECUTIVE + 5)
    copy = Copy(topics.target, fails=10_000)

    async def paused() -> str:
        while True:
            try:
                await stream.check()
            except UnavailableError as error:
                if "paused" in error.why:
                    return error.why
            await asyncio.sleep(0.05)

    async with running(stream := topics.stream(copy)), asyncio.timeout(60):
        why = await paused()
        assert (str(MAX_CONSECUTIVE) in why, "RuntimeError" in why) == (True, True)
        copy.fails = 0
        assert len(await asyncio.to_thread(topics.read, 5)) == 5
        await stream.check()
    assert len(await asyncio.to_thread(topics.dead_letters, MAX_CONSECUTIVE)) == MAX_CONSECUTIVE


@pytest.mark.slow
async def test_a_replica_without_partitions_is_a_member_that_is_ready(topics: Topics) -> None:
    async with asyncio.timeout(60), AsyncExitStack() as replicas:
        streams = [topics.stream(Copy(topics.target), instance) for instance in "abcde"]
        for stream in streams:
            await replicas.enter_async_context(running(stream))
        for stream in streams:
            await stream.polling.wait()
            await stream.check()


async def test_a_restart_continues_at_the_last_commit(topics: Topics) -> None:
    topics.fill(50)
    async with running(topics.stream(Copy(topics.target))):
        await asyncio.to_thread(topics.read, 50)
    topics.fill(50)
    async with running(topics.stream(Copy(topics.target))):
        found = await asyncio.to_thread(topics.read, 100)
    assert Counter(m.value() for m in found) == Counter(2 * [b"%d" % n for n in range(50)])


@pytest.mark.slow
async def test_readiness_names_a_hanging_transaction(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging_transactions, "_ANSWER_SECONDS", 1)
    topics.fill(50)
    async with running(topics.stream(Copy(topics.target))):
        await asyncio.to_thread(topics.read, 50)
    dead = Producer({**KafkaConnection(topics.bootstrap).confluent(), "transactional.id": f"dead-{topics.name}"})
    reader = Consumer({**KafkaConnection(topics.bootstrap).confluent(), "group.id": topics.name})
    dead.init_transactions(10)
    dead.begin_transaction()
    held = [TopicPartition(topics.source, partition, 0) for partition in range(4)]
    dead.send_offsets_to_transaction(held, reader.consumer_group_metadata(), 10)
    reader.close()

    async def trouble() -> str:
        while True:
            try:
                await stream.check()
            except UnavailableError as error:
                if error.why != "not started":
                    return str(error)
            await asyncio.sleep(0.05)

    topics.fill(50)
    async with running(stream := topics.stream(Copy(topics.target), hanging_after=0.5)):
        message_of_check = await trouble()
        dead.abort_transaction(10)
        await asyncio.to_thread(topics.read, 100)
        await stream.check()
    assert message_of_check.startswith(
        f"the stream {topics.name} is not available (Kafka does not return the committed offsets ("
    )
    assert "never got its markers; see docs/runbooks/hanging-transaction.md" in message_of_check


async def test_two_replicas_share_the_work_and_do_nothing_twice(topics: Topics) -> None:
    first, second = Copy(topics.target), Copy(topics.target)
    async with running(topics.stream(first, "a", max_records=20)):
        topics.fill(1_000)
        async with running(other := topics.stream(second, "b", max_records=20)):
            await other.polling.wait()
            topics.fill(1_000)
            found = await asyncio.to_thread(topics.read, 2_000)
    assert Counter(m.value() for m in found) == Counter(2 * [b"%d" % n for n in range(1_000)])
    assert second.commits > 0


async def test_a_stream_that_has_not_started_is_not_ready(topics: Topics) -> None:
    with pytest.raises(UnavailableError) as caught:
        await topics.stream(Copy(topics.target)).check()
    assert caught.value.why == "not started"
