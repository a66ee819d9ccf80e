"""Follows topics from positions that are stored with the follower's state.

It is for readers with effects outside of Kafka (Delta tables, PostgreSQL). State and positions are saved together, and
no consumer group is used, so each effect happens exactly once in spite of crashes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from rondo.chassis import metrics
from rondo.chassis.errors import Backoff, UnavailableError, panics_as_errors
from rondo.chassis.kafka_records import place, readable
from rondo.chassis.retry import Retry
from rondo.chassis.stream.config import assigned_consumer_config
from rondo.chassis.stream.failed_messages import FailedMessages
from rondo.chassis.stream.offsets import lag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
Position = tuple[str, int]
_STALE_SECONDS = 30.0
_LAG_SECONDS = 2.0
# The bytes of the key and the characters of the error in the log line of a skipped message.
_MAX_KEY, _MAX_TEXT = 80, 300
# A stop waits for this time, because a call of librdkafka can't be cancelled.
_ANSWER_SECONDS = 3.0


class NotStartedError(UnavailableError):
    """A follower has not yet loaded its state and read once. Nothing has failed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "not started")


class PositionLostError(UnavailableError):
    """A saved position is beyond the end of its partition, so the state belongs to another Kafka."""

    def __init__(self, topic: str, partition: int, position: int, end: int) -> None:
        super().__init__(
            f"{topic}-{partition}",
            f"it ends at {end}, but {position} was read before: this is another Kafka than that of the saved state, or "
            "it lost data. Restore its data, or start with an empty state",
        )


class MessageFailedError(UnavailableError):
    """The state could not process messages. The saved state is loaded, and they are read again one by one."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name, f"{_described(error)}; the messages are read again one by one")


class State(Protocol):
    """The state of a follower, which processes its messages.

    If `skips` is True, a message that fails alone twice is skipped. It is False if earlier messages may be the cause of
    an error. Each error then ends the follower, so that no message is lost because of another one.
    """

    skips: ClassVar[bool]

    async def load(self) -> Mapping[Position, int]:
        """Load the saved state, and return the next offset to read by (topic, partition). The default is 0."""
        ...

    async def advance(self, messages: Sequence[Message]) -> None:
        """Process messages. Save their effects together with the positions after them, now or in a later call.

        An empty sequence means that no message arrived within the linger time, or that a message was skipped.

        An error without messages ends the follower.
        """
        ...


class Backlog:
    """The partitions that have to be read up to their `ends`, by (topic, partition). `done` is called once after that.

    A partition is read once a message at its end arrives, or once the consumer reports its end: the last message of a
    transaction is followed by a marker, which is not returned.
    """

    def __init__(self, ends: Mapping[tuple[str, int], int], done: Callable[[], None]) -> None:
        self._unread = dict(ends)
        self._done: Callable[[], None] | None = done

    @property
    def is_read(self) -> bool:
        return self._done is None

    def read(self, messages: Sequence[Message]) -> None:
        """Record the result of `consume`: messages, and ends of partitions (`enable.partition.eof`)."""
        if self._done is None:
            return
        for message in messages:
            self._read(message)
        if not self._unread:
            self._done()
            self._done = None

    def _read(self, message: Message) -> None:
        topic, partition, offset, error = message.topic(), message.partition(), message.offset(), message.error()
        if topic is None or partition is None or offset is None:
            return  # the error belongs to no partition
        ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name
        if ended or (error is None and offset + 1 >= self._unread.get((topic, partition), offset)):
            self._unread.pop((topic, partition), None)


class Follower:
    """Gives the messages of topics to a `State`, in order within each partition. A state has one follower at a time.

    It reads the partitions of each topic whose number has a `rank`. Partitions of a higher rank are read after those of
    lower ranks have been read to the end that they had at the load. So a key that has moved to a partition of a higher
    rank is read in order. `caught_up` is called once after each load, after all messages up to these ends.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        name: str,
        topics: tuple[str, ...],
        state: State,
        *,
        max_records: int = 2_000,
        linger: float = 0.1,
        caught_up: Callable[[], None] = lambda: None,
        rank: Callable[[int], int | None] = lambda _: 0,
    ) -> None:
        self._kafka = kafka
        self._name = name
        self._topics = topics
        self._state = state
        self._max_records = max_records
        self._linger = linger
        self._caught_up = caught_up
        self._rank = rank
        self._retry = Retry(name, (KafkaException, UnavailableError), Backoff(first=0.2), self._note)
        self._last_turn = self._lag_measured = 0.0
        self._failed = FailedMessages()
        self._started = False
        self._trouble: str | None = None

    async def run(self) -> None:
        """Follow until cancelled.

        If Kafka or the state's store was unavailable, or messages failed, the saved state is loaded again.
        """
        try:
            await self._retry.call(self._follow)
        finally:
            # Another replica may continue with these partitions, and the last value would look like a stream that
            # waits.
            if self._lag_measured:
                metrics.STREAM_LAG.remove(self._name)

    def _note(self, error: Exception) -> None:
        self._trouble = _why(error)
        metrics.STREAM_RESTARTS.labels(self._name).inc()

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            NotStartedError: the state is being loaded for the first time.
            UnavailableError: the follower does not advance. The message says why.

        """
        if self._trouble:
            raise UnavailableError(self._name, self._trouble)
        if not self._started:
            raise NotStartedError(self._name)
        if time.monotonic() - self._last_turn > _STALE_SECONDS:
            raise UnavailableError(self._name, f"no turn for {_STALE_SECONDS:g} s")

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        # All calls use one thread: a cancelled `consume` continues until its timeout, and `close` must run after it.
        with ThreadPoolExecutor(1, f"{self._name}-kafka") as thread:
            consumer = Consumer(
                assigned_consumer_config(self._kafka, self._name), logger=logging.getLogger("librdkafka")
            )
            try:
                saved = await self._state.load()
                assigned, ends = await loop.run_in_executor(thread, self._assignment, consumer, saved)
                backlogs = self._backlogs(assigned, ends)
                assigned, backlog = next(backlogs)
                consumer.assign(assigned)
                while True:
                    most = self._failed.batch_size(self._max_records)
                    messages = await loop.run_in_executor(thread, consumer.consume, most, self._linger)
                    arrived = readable(messages)
                    await self._advance(arrived)
                    backlog.read(messages)
                    if backlog.is_read and (following := next(backlogs, None)):
                        assigned, backlog = following
                        consumer.incremental_assign(assigned)
                    metrics.STREAM_RECORDS.labels(self._name).inc(len(arrived))
                    self._started, self._trouble, self._last_turn = True, None, time.monotonic()
                    self._retry.progressed()
                    if self._last_turn - self._lag_measured >= _LAG_SECONDS:
                        self._lag_measured = self._last_turn
                        behind = await loop.run_in_executor(thread, lag, consumer)
                        metrics.STREAM_LAG.labels(self._name).set(behind)
            finally:
                await loop.run_in_executor(thread, consumer.close)

    async def _advance(self, messages: Sequence[Message]) -> None:
        """Advance the state. A message that has failed alone twice is skipped.

        Raises:
            MessageFailedError: the messages have to be read again, from the saved positions.

        """
        places = [] if self._failed.clean else list(map(place, messages))
        skipped = self._failed.is_skipped(places)
        if skipped and self._failed.is_new_skip(places[0]):
            (topic, partition, offset), error = places[0], self._failed.last_error(places[0])
            key = (messages[0].key() or b"")[:_MAX_KEY]
            log.error(
                "%s: offset %d of %s-%d (key %r) is skipped: %s", self._name, offset, topic, partition, key, error
            )
            metrics.STREAM_SKIPPED.labels(self._name).inc()
        try:
            with panics_as_errors():
                await self._state.advance([] if skipped else messages)
        except (KafkaException, UnavailableError):
            raise
        except Exception as error:  # the boundary: otherwise the process would read only this message again
            if (
                not self._state.skips
                or skipped
                or not self._failed.failed(list(map(place, messages)), _described(error))
            ):
                raise
            log.exception("%s: %d messages could not be processed", self._name, len(messages))
            raise MessageFailedError(self._name, error) from error
        if places:
            self._failed.passed(places)

    def _backlogs(
        self, assigned: Sequence[TopicPartition], ends: Mapping[Position, int]
    ) -> Iterator[tuple[list[TopicPartition], Backlog]]:
        """Yield the partitions of each rank and their backlog, in the order in which they are read."""
        ranks = sorted({rank for each in assigned if (rank := self._rank(each.partition)) is not None}) or [0]
        for rank in ranks:
            backlog = {each: end for each, end in ends.items() if self._rank(each[1]) == rank}
            done = self._caught_up if rank == ranks[-1] else _go_on
            yield [each for each in assigned if self._rank(each.partition) == rank], Backlog(backlog, done)

    def _assignment(
        self, consumer: Consumer, saved: Mapping[Position, int]
    ) -> tuple[list[TopicPartition], dict[Position, int]]:
        """Return the next position of each partition, and the ends of those that have more to read.

        Raises:
            PositionLostError: a saved position is beyond a partition's end.

        """
        topics = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        if missing := [topic for topic in self._topics if topic not in topics]:
            raise UnavailableError(", ".join(missing), "the topic does not exist yet")
        places = [
            (topic, partition)
            for topic in self._topics
            for partition in topics[topic].partitions
            if self._rank(partition) is not None
        ]
        ends = {each: self._end(consumer, *each, saved.get(each)) for each in places}
        assigned = [TopicPartition(*each, saved.get(each, 0)) for each in places]
        return assigned, {each: end for each, end in ends.items() if end > saved.get(each, 0)}

    def _end(self, consumer: Consumer, topic: str, partition: int, position: int | None) -> int:
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_ANSWER_SECONDS)
        if position is not None and position > end:
            raise PositionLostError(topic, partition, position, end)
        if position is not None and position < first:
            log.error(
                "%s-%d begins at %d and %s had read up to %d: the messages in between were deleted unread",
                topic, partition, first, self._name, position,
            )  # fmt: skip
        return int(end)


def _go_on() -> None:
    """Do nothing: the partitions of the next rank are read next."""


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_MAX_TEXT]


def _why(error: Exception) -> str:
    """Return the reason of an unavailable dependency, for the log."""
    if isinstance(error, UnavailableError):
        return f"{error.what}: {error.why}"
    return f"Kafka: {error.args[0].str()}"
