"""A micro-batch is read and transformed while the previous one is committed, with failures and rebalances."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from prometheus_client import REGISTRY
from rondo.chassis.stream import exactly_once
from rondo.chassis.stream.micro_batch import MicroBatch, Writer
from rondo.chassis.stream.rebalance import PartitionsMovedError
from rondo.chassis.stream.transactions import Transactions
from rondo.chassis.stream.transform import Output

from tests.chassis.stream.copies import Copy, Topics, running, unconnected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rondo.chassis.kafka_records import Record, Records
    from rondo.chassis.stream.group_reader import GroupReader


STATS = ("count", "sum")


class Moving:
    """A consumer that loses a partition while it gathers, and then is no member of its group."""

    def __init__(self, reader: GroupReader, messages: list[Any], moved: int = 1, *, back: bool = False) -> None:
        self._reader, self._messages, self._back = reader, messages, back
        self._moved = [TopicPartition("source", moved)]
        reader._consumer = self

    def consume(self, _: int, __: float) -> list[Any]:
        self._reader.on_revoke(self, self._moved)  # type: ignore[arg-type]
        if self._back:
            self._reader.on_assign(self, self._moved)  # type: ignore[arg-type]
        return self._messages

    def consumer_group_metadata(self) -> None: ...

    def memberid(self) -> str:
        return ""

    def assignment(self) -> list[TopicPartition]:
        return []

    def resume(self, _: list[TopicPartition]) -> None: ...


class Message:
    """A message of one partition, with a value of a given size in bytes."""

    def __init__(self, partition: int, size: int = 1, key: bytes | None = None) -> None:
        self._partition, self._size, self._key = partition, size, key

    def __len__(self) -> int:
        return self._size

    def key(self) -> bytes | None:
        return self._key

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "source"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return 7


def gather(reader: GroupReader, size: int = 4_000, *, idle: bool = True) -> list[Any]:
    return reader.gather(size, idle=lambda: idle)


def test_messages_of_a_partition_that_moved_while_gathering_are_left_to_its_new_owner() -> None:
    reader = unconnected()._reader
    Moving(reader, [Message(0), Message(1)])
    assert {message.partition() for message in gather(reader, 2)} == {0}


def test_messages_of_a_partition_that_left_and_came_back_within_one_call_are_read_from_its_committed_offset() -> None:
    """They may be from before, and the owner in between may have answered them."""
    reader = unconnected()._reader
    Moving(reader, [Message(0), Message(1)], back=True)
    with pytest.raises(PartitionsMovedError) as caught:
        gather(reader)
    assert caught.value.partitions == [("source", 1)]


def test_what_a_consumer_read_that_is_no_member_any_more_is_dropped() -> None:
    """Kafka does not check the generation of metadata that names no member."""
    stream = unconnected(max_records=1)
    consumer: Any = Moving(stream._reader, [Message(0)], moved=3)
    with pytest.raises(PartitionsMovedError) as caught:
        stream._turn(consumer, Writer("s", Slow()))  # type: ignore[arg-type]
    assert caught.value.partitions == [("source", 0)]


class Slow:
    """Transactions that wait until `released` is set."""

    def __init__(self) -> None:
        self.released, self.committing, self.producer = threading.Event(), threading.Event(), None

    def begin(self) -> None: ...

    def commit(self, *_: object) -> None:
        self.committing.set()
        assert self.released.wait(10)


def test_a_partition_is_released_after_the_commit_of_the_micro_batch_in_flight() -> None:
    stream, transactions = unconnected(), Slow()
    stream._writer = writer = Writer("s", transactions, done=stream._wake.set)  # type: ignore[arg-type]
    epochs = stream._reader.epochs({("source", 1)})
    writer.submit(MicroBatch([], Output([]), [], None, 0.0))
    revoking = threading.Thread(target=stream._reader.on_revoke, args=(None, [TopicPartition("source", 1)]))
    revoking.start()
    assert transactions.committing.wait(10)
    assert revoking.is_alive()
    assert not stream._reader.left(epochs)
    transactions.released.set()
    revoking.join(10)
    assert stream._reader.left(epochs) == {("source", 1)}
    assert writer.idle
    writer.close()


def test_a_transform_learns_of_partitions_that_move_before_the_next_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Subscribing:
        """A consumer that is closed before it receives messages."""

        def __init__(self, *_: object, **__: object) -> None: ...

        def subscribe(self, *_: object, **__: object) -> None:
            seen.append("subscribes")

        def close(self) -> None: ...

    monkeypatch.setattr(exactly_once, "Transactions", lambda *_: Slow())
    monkeypatch.setattr(exactly_once, "Consumer", Subscribing)
    stream, partitions = unconnected(lambda moved: seen.append(f"moved {moved}")), [TopicPartition("source", 1)]
    stream._stop.set()
    for _ in range(2):
        stream._turn_until_stopped()
    assert seen == ["moved None", "subscribes"] * 2
    stream._writer = None
    for leave in (stream._reader.on_assign, stream._reader.on_revoke, stream._reader.on_lost):
        seen.clear()
        leave(None, partitions)  # type: ignore[arg-type]
        assert seen == ["moved {('source', 1)}"]


def test_a_micro_batch_that_is_not_full_is_gathered_until_the_one_before_is_committed() -> None:
    transactions, committed = Slow(), threading.Event()
    writer = Writer("s", transactions, done=committed.set)  # type: ignore[arg-type]
    writer.submit(MicroBatch([], Output([]), [], None, 0.0))

    class Trickling:
        """A consumer that returns one message per call. The commit ends with the fifth."""

        asked = 0

        def consume(self, _: int, __: float) -> list[Message]:
            self.asked += 1
            if self.asked == 5:
                transactions.released.set()
                assert committed.wait(10)
            return [Message(self.asked)]

    reader = unconnected()._reader
    reader._consumer = Trickling()
    assert len(reader.gather(4_000, idle=lambda: writer.idle)) == 5
    writer.close()


class Member:
    """A consumer that is a member of its group, and reads given messages."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages

    def consume(self, _: int, __: float) -> list[Any]:
        return [self._messages.pop()] if self._messages else []

    def consumer_group_metadata(self) -> str:
        return "metadata"

    def memberid(self) -> str:
        return "a"

    def assignment(self) -> list[TopicPartition]:
        return []

    def resume(self, _: list[TopicPartition]) -> None: ...


class Answering:
    """A transform with output of its own, without records. It implements `Notes`."""

    active = True

    def restore(self, _: object) -> None: ...

    def __call__(self, _: object) -> Output:
        return Output([], notes={("source", 0): "note"})


@pytest.mark.parametrize("messages", [0, 1])
def test_the_time_of_a_micro_batch_without_messages_does_not_count_from_earlier_ones(messages: int) -> None:
    def measured() -> tuple[float, float]:
        values = (REGISTRY.get_sample_value(f"rondo_stream_batch_seconds_{of}", {"stream": "s"}) for of in STATS)
        count, seconds = (value or 0.0 for value in values)
        return count, seconds

    transform: Any = Answering()
    stream, transactions = unconnected(), Slow()
    stream._transform = stream._notes = transform
    stream._offsets._known["source", 0] = 0, ""
    stream._offsets._notes = transform
    stream._reader.last_gathered = time.monotonic() - 600.0
    transactions.released.set()
    writer, before = Writer("s", transactions), measured()  # type: ignore[arg-type]
    stream._reader._consumer = Member([Message(0)] * messages)
    stream._turn(stream._reader._consumer, writer)
    stream._settle(writer)
    writer.close()
    count, seconds = measured()
    assert count == before[0] + 1
    assert seconds - before[1] < 60.0


class Flood:
    """A consumer that receives 1,000 messages per second, besides prefetched ones."""

    def __init__(self, size: int, key: bytes | None = None, ahead: int = 0) -> None:
        self._message, self._ahead = Message(0, size, key), ahead

    def consume(self, count: int, seconds: float) -> list[Message]:
        found = [self._message] * min(count, self._ahead + int(1_000 * seconds))
        self._ahead = max(self._ahead - count, 0)
        return found


@pytest.mark.parametrize("idle", [True, False])
@pytest.mark.parametrize(("size", "key"), [(1 << 20, None), (1, bytes(1 << 20))])
def test_a_micro_batch_takes_no_more_once_it_has_the_bytes_that_it_may_have(
    size: int, key: bytes | None, *, idle: bool
) -> None:
    reader = unconnected(linger=60.0)._reader
    reader._consumer = Flood(size, key)
    reader.last_gathered = time.monotonic()
    assert 32 <= len(gather(reader, idle=idle)) <= 64


def test_a_micro_batch_of_small_messages_is_full() -> None:
    reader = unconnected()._reader
    reader._consumer = Flood(1, ahead=10_000)
    assert len(gather(reader)) == 4_000


@pytest.mark.slow
async def test_a_micro_batch_is_transformed_while_the_one_before_is_committed(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.fill(40)
    copy, commit, overlapped = Copy(topics.target), Transactions.commit, threading.Event()

    def late(transactions: Transactions, *args: Any) -> None:
        until = time.monotonic() + 10
        while copy.calls == copy.commits + 1 and copy.commits == 0 and time.monotonic() < until:
            time.sleep(0.001)
        if copy.calls > copy.commits + 1:
            overlapped.set()
        commit(transactions, *args)

    monkeypatch.setattr(Transactions, "commit", late)
    async with running(topics.stream(copy, max_records=10)):
        found = await asyncio.to_thread(topics.read, 40)
    assert overlapped.is_set()
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(40))


@pytest.mark.slow
async def test_a_commit_that_fails_drops_the_micro_batch_behind_it_and_both_are_read_again(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.fill(200)
    copy, commit, refused = Copy(topics.target), Transactions.commit, iter([True, False, True])

    def refuse(transactions: Transactions, *args: Any) -> None:
        if next(refused, False):
            raise KafkaException(KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE))
        commit(transactions, *args)

    monkeypatch.setattr(Transactions, "commit", refuse)
    async with running(topics.stream(copy, max_records=10)):
        found = await asyncio.to_thread(topics.read, 200)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(200))
    by_partition: dict[int, list[int]] = {}
    for message in found:
        by_partition.setdefault(message.partition(), []).append(int(message.value()))
    assert all(each == sorted(each) for each in by_partition.values()), "the order of a partition is kept"
    assert copy.aborts == copy.calls - copy.commits
    assert copy.aborts >= 2


async def test_a_micro_batch_that_is_refused_for_its_generation_is_written_again_and_nothing_is_read_twice(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.fill(200)
    copy, commit, refused = Copy(topics.target), Transactions.commit, iter([True, True, False, True])

    def refuse(transactions: Transactions, *args: Any) -> None:
        if next(refused, False):
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))
        commit(transactions, *args)

    monkeypatch.setattr(Transactions, "commit", refuse)
    async with running(topics.stream(copy, max_records=10)):
        found = await asyncio.to_thread(topics.read, 200)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(200))
    assert (copy.aborts, copy.calls) == (0, copy.commits)


async def test_a_transform_that_fails_aborts_nothing_of_the_micro_batch_before(topics: Topics) -> None:
    class Second(Copy):
        def records(self, messages: Sequence[Any]) -> Iterable[Record | Records]:
            if self.calls in (2, 5):
                message = "the transform stumbled"
                raise RuntimeError(message)
            return super().records(messages)

    topics.fill(200)
    async with running(topics.stream(copy := Second(topics.target), max_records=10)):
        found = await asyncio.to_thread(topics.read, 200)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(200))
    assert copy.aborts == 0


@pytest.mark.slow
async def test_a_report_that_fails_after_its_commit_is_no_failure_of_the_messages(topics: Topics) -> None:
    class Unreported(Copy):
        def committed(self) -> None:
            super().committed()
            if self.commits <= 4:
                message = "the report stumbled"
                raise RuntimeError(message)

    topics.fill(200)
    async with running(stream := topics.stream(Unreported(topics.target), max_records=10)):
        found = await asyncio.to_thread(topics.read, 200)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(200))
    assert stream._poison.clean, "no message is suspected"
