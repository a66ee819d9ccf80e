"""A rebalance does not wait for a transform. Its output is dropped if a partition of its messages has left."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TopicPartition
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.micro_batch import FreshMetadata

from tests.chassis.stream.copies import QUICK, Copy, Topics, running, unconnected
from tests.chassis.stream.test_overlap import Message
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.chassis.stream.transform import Output


class Held(Copy):
    """Copies once it is `released`, by the test or by `cancel`."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.began, self.released = threading.Event(), threading.Event()

    def __call__(self, messages: Sequence[Any]) -> Output:
        self.began.set()
        assert self.released.wait(60)
        return super().__call__(messages)

    def cancel(self) -> None:
        self.released.set()


async def test_a_replica_that_joins_gets_its_partitions_while_another_one_transforms(topics: Topics) -> None:
    topics.fill(400)
    held, quick = Held(topics.target), Copy(topics.target)
    settings = topics.stream(held, "a")._settings
    async with running(ExactlyOnceStream(settings, held, QUICK, cancel=held.cancel)):
        await asyncio.to_thread(held.began.wait, 30)
        async with running(topics.stream(quick, "b")):
            await until(lambda: quick.commits, 50)
            held.released.set()
            found = await asyncio.to_thread(topics.read, 400)
    assert Counter(m.value() for m in found) == Counter(b"%d" % n for n in range(400))


class Serving:
    """A consumer that loses a partition as soon as its callbacks run."""

    def __init__(self, stream: ExactlyOnceStream, messages: list[Any], moved: int) -> None:
        self._stream, self._messages, self._moved = stream, messages, moved
        self.paused, self.resumed = list[list[int]](), list[list[int]]()
        self.served = False

    def consume(self, count: int, _: float) -> list[Any]:
        found, self._messages = self._messages[:count], self._messages[count:]
        if self.paused and not self.served:
            self.served = True
            self._stream._reader.on_revoke(self, [TopicPartition("source", self._moved)])  # type: ignore[arg-type]
        return found

    def consumer_group_metadata(self) -> str:
        return "metadata"

    def memberid(self) -> str:
        return "a"

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("source", 0), TopicPartition("source", 1)]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, 8) for each in partitions]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused.append([each.partition for each in partitions])

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.resumed.append([each.partition for each in partitions])


class Nothing:
    """A writer that never has anything in flight, and records what is submitted."""

    def __init__(self) -> None:
        self.idle, self.submitted = True, list[Any]()

    def settle(self) -> None: ...

    def submit(self, batch: Any) -> None:
        self.submitted.append(batch)


@pytest.mark.parametrize(("moved", "dropped"), [(1, True), (2, False)])
def test_the_messages_of_other_partitions_are_taken_again_from_memory(moved: int, dropped: bool) -> None:  # noqa: FBT001
    stream, writer = unconnected(linger=0.0), Nothing()
    messages: list[Any] = [Message(number % 2) for number in range(10)]
    consumer = stream._reader._consumer = Serving(stream, messages, moved)
    copy, sizes = stream._transform, list[int]()

    def transform(taken: Sequence[Any]) -> Output:
        sizes.append(len(taken))
        time.sleep(0.5 if len(sizes) == 1 else 0)
        return copy([])

    stream._transform = transform
    stream._max_records = lambda: 10
    stream._turn(consumer, writer)  # type: ignore[arg-type]
    assert consumer.paused == [[0, 1]], "no more messages are read meanwhile"
    if not dropped:
        assert [len(batch.messages) for batch in writer.submitted] == sizes
        return
    assert writer.submitted == []
    stream._turn(consumer, writer)  # type: ignore[arg-type]
    [batch] = writer.submitted
    assert consumer.resumed == [[1], [0]], "one when it left, and the other one when messages are read again"
    assert {message.partition() for message in batch.messages} == {0}
    assert len(batch.messages) >= sizes[0] // 2


def test_the_writer_gets_no_metadata_for_a_partition_that_has_left() -> None:
    stream, asked = unconnected(), threading.Event()
    reader = stream._reader
    reader._consumer = Serving(stream, [], 0)
    for left, expected in ((False, "metadata"), (True, None)):
        epochs = reader.epochs({("source", 0)})
        if left:
            reader.on_lost(None, [TopicPartition("source", 0)])  # type: ignore[arg-type]
        fresh, found = FreshMetadata(asked.set), list[Any]()
        writer = threading.Thread(target=lambda: found.append(fresh.request(epochs)))  # noqa: B023
        writer.start()
        assert asked.wait(10)
        asked.clear()
        fresh.answer(reader)
        writer.join(10)
        assert found == [expected]
        assert not fresh.pending
