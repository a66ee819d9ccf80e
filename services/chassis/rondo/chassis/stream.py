"""The exactly-once stream: records in, records out and the offsets in one Kafka transaction (KIP-98, KIP-447).

On confluent-kafka, measured and chosen over aiokafka: librdkafka fences a zombie by the consumer group's metadata,
heartbeats on a thread of its own and rebalances cooperatively. The stream runs on its own thread, so neither an
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
_STALE_SECONDS = 30.0
# librdkafka reconnects by itself after these.
_PASSING = frozenset({KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - its public names
_MAX_CRASHES = 5


@dataclass(frozen=True, slots=True)
class Record:
    """A record to write. Without a `partition` the key decides, by murmur2 as in Java clients."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: dict[str, str | bytes] | None = None
    partition: int = -1


class Transform(Protocol):
    """What a stream does with a micro-batch: a function of its messages that must not fail on a bad one."""

    def __call__(self, messages: Sequence[Message], /) -> Iterable[Record]:
        """Return the records to write for these messages."""
        ...


@dataclass(frozen=True)
class StreamSettings:
    """`instance` names the replica: it fences its own predecessor. `linger` (seconds) bounds the wait for a batch."""

    bootstrap: str
    name: str
    instance: str
    topics: tuple[str, ...]
    max_records: int = 4_000
    linger: float = 0.05
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
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(self.session_timeout * 1000),
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
        self._last_turn = 0.0
        self._trouble: str | None = "not started"

    async def run(self) -> None:
        """Stream until cancelled; then end the running transaction and leave.

        Raises:
            Exception: what the transform raised, once it failed several times in a row on the same records.

        """
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
            except KafkaException as error:
                self._trouble = f"Kafka: {error.args[0]}"
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
        producer = Producer(self._settings.producer_config())
        producer.init_transactions(30)
        consumer = Consumer(self._settings.consumer_config())
        try:
            consumer.subscribe(list(self._settings.topics))
            while not self._stop.is_set():
                messages = readable(consumer.consume(self._settings.max_records, self._settings.linger))
                if messages:
                    self._turn(consumer, producer, messages)
                self._trouble, self._last_turn = None, time.monotonic()
        finally:
            consumer.close()

    def _turn(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        """Answer one micro-batch in one transaction. On a failure the caller builds both clients anew."""
        with metrics.STREAM_BATCH_SECONDS.labels(self._settings.name).time():
            producer.begin_transaction()
            try:
                for record in self._transform(messages):
                    _produce(producer, record)
                producer.send_offsets_to_transaction(ends(messages), consumer.consumer_group_metadata(), 30)
                producer.commit_transaction(30)
            except BaseException:
                # Without this the records would stay invisible but block read_committed readers until the timeout.
                _abort(producer)
                raise
        metrics.STREAM_RECORDS.labels(self._settings.name).inc(len(messages))


def ends(messages: Iterable[Message]) -> list[TopicPartition]:
    """Return, per partition, the offset after the last of these messages."""
    positions: dict[tuple[str, int], int] = {}
    for message in messages:
        topic, partition, offset = place(message)
        positions[topic, partition] = max(positions.get((topic, partition), 0), offset + 1)
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]


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
