"""Reads and writes records with confluent-kafka, with workarounds for its bugs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = list[tuple[str, bytes | None]]
# A call through `methodcaller` raises a pending error at the call. In Python 3.11 and later, specialized bytecode skips
# this check, and unrelated code raises the error later.
_READ_HEADERS = methodcaller("headers")
_READ_ERROR = methodcaller("error")
# librdkafka recovers from these errors by itself.
_PASSING = frozenset({KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - its public names


@dataclass(frozen=True, slots=True)
class Record:
    """A record to write. Without a `partition` the key determines it, by murmur2 as in Java clients."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: dict[str, str | bytes] | None = None
    partition: int = -1


@dataclass(frozen=True, slots=True)
class Records:
    """Many records of one topic as columns of equal length, without headers. This is the cheapest way to write them."""

    topic: str
    values: Sequence[bytes]
    keys: Sequence[bytes | None]
    partitions: Sequence[int]


def readable(messages: list[Message]) -> list[Message]:
    """Return the records among the messages of `consume`.

    Raises:
        KafkaException: the messages include an error from which librdkafka does not recover by itself.

    """
    errors = list(map(_READ_ERROR, messages))
    # The comparison is by identity: a KafkaError that is compared with `==` to None leaves a pending error, which other
    # code then raises.
    found = [error for error in errors if error is not None]
    if not found:
        return messages
    for error in found:
        if error.code() not in _PASSING:
            raise KafkaException(error)
    return [message for message, error in zip(messages, errors, strict=True) if error is None]


def place(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message that was read. librdkafka always sets them for such a message."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101 - for the type checker
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    return topic, partition, offset


def headers_of(message: Message) -> Headers:
    """Return the headers of a message. None if a name is no UTF-8, which confluent-kafka can't read.

    It raises a SystemError then, and a second call would return invalid memory. So the headers are cleared.
    """
    try:
        return list(_READ_HEADERS(message) or ())
    except (SystemError, UnicodeError):
        message.set_headers([])
        return []


def write(producer: Producer, output: Record | Records) -> None:
    """Give records to the producer. Waits while its queue is full.

    Raises:
        KafkaException: a record is larger than the producer accepts.

    """
    if isinstance(output, Record):
        _produce(producer, output)
        return
    # `produce_batch` uses only the partition of the batch. Contrary to its documentation it ignores that of a message.
    batches: dict[int, list[dict[str, Any]]] = {}
    for value, key, partition in zip(output.values, output.keys, output.partitions, strict=True):
        batches.setdefault(partition, []).append({"value": value, "key": key})
    for partition, batch in batches.items():
        if producer.produce_batch(output.topic, batch, partition) == len(batch):
            continue
        for message in batch:  # the queue was full, so the others are written one by one, and each waits for room
            if message.pop("_error", None) is not None:
                _produce(producer, Record(output.topic, message["value"], message["key"], None, partition))


def _produce(producer: Producer, record: Record) -> None:
    headers: Any = list(record.headers.items()) if record.headers else None
    while True:
        try:
            producer.produce(record.topic, record.value, record.key, partition=record.partition, headers=headers)
        except BufferError:
            producer.poll(0.1)  # the queue is full: deliver some of it, while the transaction waits
        else:
            return
