"""The exactly-once stream: records in, records out and the offsets in one Kafka transaction (KIP-98, KIP-447).

On confluent-kafka, measured and chosen over aiokafka: librdkafka fences a zombie by the consumer group's metadata and
heartbeats on a thread of its own. The stream runs on its own thread, so neither an
inference nor the event loop holds up the other.

A failure aborts the transaction and begins again from the committed offsets: nothing was visible, nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from rondo.chassis import metrics
from rondo.chassis.failures import Backoff, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)
# Else librdkafka writes to standard error by itself, and not as JSON.
_LIBRARY_LOG = logging.getLogger("librdkafka")
_STALE_SECONDS = 30.0
# librdkafka reconnects by itself after these.
_PASSING = frozenset({KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - its public names
_MAX_CRASHES = 5
_IDLE_SECONDS = 0.5
_LAG_SECONDS = 1.0
# Longer than any transaction of a stream may last.
_HELD_SECONDS = 35.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record to write. Without a `partition` the key decides, by murmur2 as in Java clients."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: dict[str, str | bytes] | None = None
    partition: int = -1


@dataclass(frozen=True, slots=True)
class Records:
    """Many records of one topic as columns of one length, without headers: the cheapest way to write them."""

    topic: str
    values: Sequence[bytes]
    keys: Sequence[bytes | None]
    partitions: Sequence[int]


class Transform(Protocol):
    """What a stream does with a micro-batch: a function of its messages that must not fail on a bad one."""

    def __call__(self, messages: Sequence[Message], /) -> Iterable[Record | Records]:
        """Return the records to write for these messages."""
        ...

    def committed(self) -> None:
        """Hear that what the last call returned is visible to readers now; after a failure there is no such call."""
        ...


class PartitionsMovedError(Exception):
    """Partitions were taken away while a micro-batch was gathered: their new owner reads the same messages."""

    def __init__(self, partitions: Iterable[tuple[str, int]]) -> None:
        names = ", ".join(f"{topic}-{partition}" for topic, partition in sorted(partitions))
        super().__init__(f"{names} went to another replica; what was read and not answered is read again by its owner")


@dataclass(frozen=True)
class StreamSettings:
    """`instance` names the replica: it fences its own predecessor.

    `linger` is the least time in seconds between the beginnings of two transactions: a busy stream fills its
    micro-batches for that long, and a record that comes after a silence waits for nothing.
    """

    bootstrap: str
    name: str
    instance: str
    topics: tuple[str, ...]
    max_records: int = 4_000
    linger: float = 0.02
    session_timeout: float = 10.0
    transaction_timeout: float = 30.0
    producer: dict[str, Any] = field(default_factory=dict)

    def consumer_config(self) -> dict[str, Any]:
        """Return librdkafka's consumer configuration."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": self.instance,
            "group.id": self.name,
            "group.instance.id": self.instance,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            # Eager, on purpose: a static member that dies between the two steps of a cooperative rebalance comes back
            # to a group that looks settled, and what it had given up is then nobody's (seen on Kafka 4.3).
            "partition.assignment.strategy": "range",
            "session.timeout.ms": int(self.session_timeout * 1000),
            # A member hears of a rebalance by its heartbeat: everybody waits for the slowest.
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 50,
            "log_level": 3,
        }

    def producer_config(self) -> dict[str, Any]:
        """Return librdkafka's producer configuration."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": self.instance,
            "transactional.id": f"{self.name}-{self.instance}",
            "transaction.timeout.ms": int(self.transaction_timeout * 1000),
            "linger.ms": 5,
            "message.max.bytes": 8 * 1024 * 1024,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
            "log_level": 3,
        } | self.producer


class ExactlyOnceStream:
    """Runs a transform between topics. `run` is awaited by the service; the work is done on the stream's thread."""

    def __init__(self, settings: StreamSettings, transform: Transform, backoff: Backoff | None = None) -> None:
        self._settings = settings
        self._transform = transform
        self._backoff = backoff or Backoff(first=0.2)
        self._stop = threading.Event()
        self._last_turn = self._last_gathered = self._lag_measured = 0.0
        self._began = self._asked = 0.0
        self._held: str | None = None
        self._revoked: set[tuple[str, int]] = set()
        self._trouble: str | None = "not started"
        self._loop: asyncio.AbstractEventLoop | None = None
        # Set after the first turn with partitions: what can wait for the stream waits for this.
        self.turning = asyncio.Event()

    async def run(self) -> None:
        """Stream until cancelled; then end the running transaction and leave.

        Raises:
            Exception: what the transform raised, once it failed several times in a row on the same records.

        """
        self._loop = asyncio.get_running_loop()
        thread = asyncio.create_task(asyncio.to_thread(self._run))
        try:
            await asyncio.shield(thread)
        finally:
            self._stop.set()
            await thread

    async def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: the stream does not turn, and why.

        """
        if self._trouble:
            raise UnavailableError(f"the stream {self._settings.name}", self._trouble)
        if time.monotonic() - self._last_turn > _STALE_SECONDS:
            raise UnavailableError(f"the stream {self._settings.name}", f"no turn for {_STALE_SECONDS:g} s")

    def _run(self) -> None:
        attempt, crashes = 0, 0
        while not self._stop.is_set():
            turns_before = self._last_turn
            try:
                self._turn_until_stopped()
            except PartitionsMovedError as error:
                log.info("stream %s: %s", self._settings.name, error)
                continue
            except KafkaException as error:
                self._trouble = f"Kafka: {error.args[0].str()}"
            except Exception as error:
                self._trouble = f"{type(error).__name__}: {error}"
                crashes = crashes + 1 if self._last_turn == turns_before else 1
                if crashes >= _MAX_CRASHES:
                    raise
            else:
                return
            attempt = attempt + 1 if self._last_turn == turns_before else 1
            log.warning("stream %s begins again: %s", self._settings.name, self._trouble, extra={"attempt": attempt})
            metrics.STREAM_RESTARTS.labels(self._settings.name).inc()
            self._stop.wait(self._backoff.delay(attempt))

    def _turn_until_stopped(self) -> None:
        producer = Producer(self._settings.producer_config(), logger=_LIBRARY_LOG)
        producer.init_transactions(30)
        consumer = Consumer(self._settings.consumer_config(), logger=_LIBRARY_LOG)
        self._began = self._asked = time.monotonic()
        self._held = None
        try:
            consumer.subscribe(list(self._settings.topics), on_revoke=self._on_revoke, on_lost=self._on_revoke)
            while not self._stop.is_set():
                messages = self._gather(consumer)
                if messages:
                    self._turn(consumer, producer, messages)
                self._trouble, self._last_turn = self._hindrance(consumer), time.monotonic()
                self._measure_lag(consumer)
                if self._loop is not None and consumer.assignment():
                    self._loop.call_soon_threadsafe(self.turning.set)
                    self._loop = None
        finally:
            consumer.close()

    def _gather(self, consumer: Consumer) -> list[Message]:
        """Read a micro-batch: the first message whenever it comes, then what follows until the linger is over."""
        self._revoked.clear()
        messages = consumer.consume(1, _IDLE_SECONDS)
        if messages:
            wait = self._last_gathered + self._settings.linger - time.monotonic()
            messages += consumer.consume(self._settings.max_records - 1, max(wait, 0.0))
            self._last_gathered = time.monotonic()
        found = readable(messages)
        # Revocations are handed over inside `consume` only, so none can come between here and the commit; and a
        # member that was thrown out meanwhile is fenced by its generation.
        if self._revoked and (moved := self._revoked & {place(message)[:2] for message in found}):
            raise PartitionsMovedError(moved)
        return found

    def _hindrance(self, consumer: Consumer) -> str | None:
        """Say what keeps a stream that has read nothing yet from reading, else it would look idle.

        A broker that died between a commit and its markers can leave a transaction without an end (KIP-664). Its
        offsets are then never told, and librdkafka asks for them for ever without a word.
        """
        now = time.monotonic()
        if self._last_gathered >= self._began:
            return None
        if now - self._asked >= _HELD_SECONDS:
            self._asked, self._held = now, None
            try:
                consumer.committed(consumer.assignment(), timeout=5)
            except KafkaException as error:
                self._held = (
                    f"Kafka does not tell how far it has read ({error.args[0].str()}): if Kafka is up, a transaction "
                    "of an earlier crash never ended; `kafka-transactions.sh find-hanging` finds it, `abort` ends it"
                )
        return self._held

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked.update((partition.topic, partition.partition) for partition in partitions)

    def _measure_lag(self, consumer: Consumer) -> None:
        if self._last_turn - self._lag_measured < _LAG_SECONDS:
            return
        self._lag_measured, lag = self._last_turn, 0
        for position in consumer.position(consumer.assignment()):
            watermarks = consumer.get_watermark_offsets(position, cached=True)
            if watermarks is not None and position.offset >= 0:
                lag += max(watermarks[1] - position.offset, 0)
        metrics.STREAM_LAG.labels(self._settings.name).set(lag)

    def _turn(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        """Answer one micro-batch in one transaction. On a failure the caller builds both clients anew."""
        with metrics.STREAM_BATCH_SECONDS.labels(self._settings.name).time():
            producer.begin_transaction()
            try:
                for output in self._transform(messages):
                    _write(producer, output)
                producer.send_offsets_to_transaction(ends(messages), consumer.consumer_group_metadata(), 30)
                producer.commit_transaction(30)
            except BaseException:
                # Without this the records would stay invisible but block read_committed readers until the timeout.
                _abort(producer)
                raise
        self._transform.committed()
        metrics.STREAM_RECORDS.labels(self._settings.name).inc(len(messages))


def ends(messages: Iterable[Message]) -> list[TopicPartition]:
    """Return, per partition, the offset after the last of these messages."""
    # A consumer hands out the messages of a partition in their order: the last one of each stays.
    positions: dict[Any, Any] = {(message.topic(), message.partition()): message.offset() for message in messages}
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in positions.items()]


def place(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message that was read; librdkafka leaves none of them out there."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101 - for the type checker
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    return topic, partition, offset


def readable(messages: list[Message]) -> list[Message]:
    """Return the records among what `consume` brought.

    Raises:
        KafkaException: an error among them that librdkafka does not recover from by itself.

    """
    for message in messages:
        error = message.error()
        if error is not None and error.code() not in _PASSING:
            raise KafkaException(error)
    return [message for message in messages if message.error() is None]


def _write(producer: Producer, output: Record | Records) -> None:
    if isinstance(output, Record):
        _produce(producer, output)
        return
    # `produce_batch` heeds a partition for the whole batch only, whatever its documentation says of single messages.
    batches: dict[int, list[dict[str, Any]]] = {}
    for value, key, partition in zip(output.values, output.keys, output.partitions, strict=True):
        batches.setdefault(partition, []).append({"value": value, "key": key})
    for partition, batch in batches.items():
        if producer.produce_batch(output.topic, batch, partition) == len(batch):
            continue
        for message in batch:  # the queue was full: the others one by one, each waiting for room
            if message.pop("_error", None) is not None:
                _produce(producer, Record(output.topic, message["value"], message["key"], None, partition))


def _produce(producer: Producer, record: Record) -> None:
    headers: Any = list(record.headers.items()) if record.headers else None
    while True:
        try:
            producer.produce(record.topic, record.value, record.key, partition=record.partition, headers=headers)
        except BufferError:
            producer.poll(0.1)  # the queue is full: let it drain, the transaction waits
        else:
            return


def _abort(producer: Producer) -> None:
    try:
        producer.abort_transaction(10)
    except KafkaException as error:
        log.warning("the transaction could not be aborted, its timeout will: %s", error)
