"""The commit of a micro-batch: it is aborted once, refused if a partition has left, and smaller after a slow one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.errors import UnavailableError
from rondo.chassis.stream.micro_batch import MicroBatch, Writer
from rondo.chassis.stream.transactions import next_share
from rondo.chassis.stream.transform import Output

from tests.chassis.stream.copies import Copy, unconnected
from tests.chassis.stream.test_overlap import Answering, Member, Message

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))


class Failing:
    """Transactions whose commits raise this error."""

    producer = None

    def __init__(self, error: Exception, seconds: float = 0.0) -> None:
        self.error, self.seconds, self.aborted = error, seconds, 0

    def begin(self) -> None: ...

    def commit(self, *_: object) -> None:
        time.sleep(self.seconds)
        raise self.error

    def abort(self) -> bool:
        self.aborted += 1
        return True

    def pause(self, _: float) -> None: ...


def no_metadata(_: object) -> None:
    """Return None, because a partition has left."""


def broken(_: object) -> None:
    message = "the consumer has failed"
    raise RuntimeError(message)


@pytest.mark.parametrize(("fresh", "error"), [(no_metadata, KafkaException), (broken, RuntimeError)])
def test_a_micro_batch_that_can_not_be_written_again_is_aborted_once(
    fresh: Callable[[object], None], error: type[Exception]
) -> None:
    transactions, copy = Failing(REFUSED), Copy("target")
    writer = Writer("s", transactions, fresh)  # type: ignore[arg-type]
    writer.submit(MicroBatch([], Output([], copy.committed, copy.aborted), [], "metadata", 0.0))
    settled = writer.settle()
    writer.close()
    assert settled is not None
    assert isinstance(settled[1], error)
    assert (copy.aborts, copy.commits, transactions.aborted) == (1, 0, 1)


def test_a_micro_batch_is_not_written_again_if_a_partition_has_left_of_which_it_has_only_a_note() -> None:
    stream, transform = unconnected(), Answering()
    transactions: Any = Failing(REFUSED)
    stream._transform = stream._notes = stream._offsets._notes = transform
    stream._offsets._known |= dict.fromkeys([("source", 0), ("source", 1)], (0, ""))
    stream._reader._consumer = Member([Message(1)])
    stream._reader.serve = stream._answer_writer  # type: ignore[method-assign]
    writer, aborts = Writer("s", transactions, stream._fresh.request, stream._wake.set), list[None]()

    def leave() -> bool:
        aborts.append(None)
        stream._reader.on_lost(None, [TopicPartition("source", 0)])  # type: ignore[arg-type]
        return True

    transactions.abort = leave
    stream._turn(stream._reader._consumer, writer)
    with pytest.raises(KafkaException) as caught:
        stream._settle(writer)
    writer.close()
    assert caught.value is REFUSED
    assert len(aborts) == 1


def test_records_without_a_partition_that_fences_them_are_not_written() -> None:
    stream, transform = unconnected(), Answering()
    stream._notes = stream._offsets._notes = transform
    stream._reader._consumer = Member([])
    writer: Any = Writer("s", Failing(REFUSED))  # type: ignore[arg-type]
    stream._transform = lambda _: Output([None])  # type: ignore[list-item]
    with pytest.raises(AssertionError):
        stream._turn(stream._reader._consumer, writer)
    assert writer.idle
    writer.close()


class Rejoining(Member):
    """A member whose generation is raised while a micro-batch is transformed."""

    generation = 1

    def consumer_group_metadata(self) -> str:
        return f"generation {self.generation}"


def test_a_micro_batch_has_the_metadata_of_a_generation_that_was_raised_while_it_was_transformed() -> None:
    stream, submitted = unconnected(), list[MicroBatch]()
    consumer = stream._reader._consumer = Rejoining([Message(0)])

    def transform(messages: Any) -> Output:
        consumer.generation = 2
        return Output(messages)

    stream._transform = transform
    writer = Writer("s", Failing(REFUSED))  # type: ignore[arg-type]
    writer.submit = submitted.append  # type: ignore[method-assign,assignment]
    stream._turn(consumer, writer)  # type: ignore[arg-type]
    writer.close()
    assert [batch.group for batch in submitted] == ["generation 2"]


def test_a_writer_that_asks_for_metadata_is_answered_while_a_failed_turn_waits_for_the_transform() -> None:
    stream, asked, found = unconnected(), threading.Event(), list[Any]()
    stream._reader._consumer = Member([Message(0)])
    stream._stop.set()  # so that each check cancels

    def ask() -> None:
        found.append(stream._fresh.request({}))
        asked.set()

    def transform(_: Any) -> Output:
        threading.Thread(target=ask).start()
        assert asked.wait(10)
        return Output([])

    def failing(*_: object, **__: object) -> None:
        message = "the consumer has failed"
        raise RuntimeError(message)

    stream._transform = transform
    stream._wait = failing  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError):
        stream._transformed([Message(0)], {}, Writer("s", Failing(REFUSED)))  # type: ignore[list-item,arg-type]
    assert found == [None]


def test_a_transform_that_was_not_ready_to_be_cancelled_is_cancelled_again() -> None:
    stream, cancelled = unconnected(), threading.Event()
    stream._stop.set()
    stream._cancel = cancelled.set
    stream._reader.serve = lambda: None  # type: ignore[method-assign]

    def transform(_: Any) -> Output:
        assert cancelled.wait(10)
        cancelled.clear()  # as a transform does that has only begun
        assert cancelled.wait(10)
        return Output([])

    stream._transform = transform
    stream._transformed([], {}, Writer("s", Failing(REFUSED)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "served"), [(0.4, False), (1.4, True)])
def test_a_commit_of_less_than_a_second_does_not_pause_the_partitions(seconds: float, *, served: bool) -> None:
    stream, calls = unconnected(), list[float]()
    stream._reader.serve = lambda: calls.append(time.monotonic())  # type: ignore[method-assign]
    writer = Writer("s", Failing(RuntimeError("stumbled"), seconds), done=stream._wake.set)  # type: ignore[arg-type]
    writer.submit(MicroBatch([], Output([]), [], None, 0.0))
    with pytest.raises(RuntimeError):
        stream._settle(writer)
    writer.close()
    assert bool(calls) == served


def test_the_micro_batch_after_one_that_exceeded_the_timeout_of_its_transaction_is_half_as_large() -> None:
    stream = unconnected(transaction_timeout=0.1, max_records=100, max_bytes=1_000)
    writer = Writer("s", Failing(UnavailableError("Kafka", "slow"), 0.2))  # type: ignore[arg-type]
    writer.submit(MicroBatch([], Output([]), [], None, 0.0))
    with pytest.raises(UnavailableError):
        stream._settle(writer)
    writer.close()
    sizes, stream._reader._consumer = list[int](), Member([])

    def gather(size: int, **_: object) -> list[Any]:
        sizes.append(size)
        return []

    stream._reader.gather = gather  # type: ignore[method-assign]
    stream._turn(stream._reader._consumer, writer)
    assert (sizes, stream._reader.max_bytes) == ([50], 500)


@given(st.floats(0.05, 2_000.0))
def test_micro_batches_find_the_size_that_kafka_takes_in_time_and_keep_it(load: float) -> None:
    """`load` is the time of a full micro-batch, as a share of the timeout."""
    share, failures = 1.0, 0
    for _ in range(40):
        used = load * share
        failures += used >= 1
        share = next_share(share, used, committed=used < 1)
    assert load * share < 1
    assert failures <= 12
    assert share == 1.0 or load * share > 0.2
    for _ in range(20):
        share = next_share(share, 0.0, committed=True)
    assert share == 1.0
