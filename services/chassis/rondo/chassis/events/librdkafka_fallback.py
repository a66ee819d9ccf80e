"""Reads with librdkafka what aiokafka can't, and returns it as aiokafka's records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiokafka import ConsumerRecord
from confluent_kafka import Consumer, Message
from confluent_kafka import TopicPartition as Place

from rondo.chassis.stream.records import headers_of, place, readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from rondo.contracts.kafka_connection import KafkaConnection

# A batch may be as large as its topic takes: few are held at once.
_MOST = 10
_WAIT_SECONDS = 3.0
_MORE_SECONDS = 0.05


def read_around(
    kafka: KafkaConnection, isolation_level: str, positions: Mapping[TopicPartition, int]
) -> list[ConsumerRecord[bytes, bytes]]:
    """Return the next few records of partitions, from these offsets on; blocks for 3 seconds at most.

    `isolation_level` is that of the aiokafka consumer that reads on afterwards.

    Raises:
        KafkaException: librdkafka can't read on.

    """
    consumer = Consumer(_config(kafka, isolation_level), logger=logging.getLogger("librdkafka"))
    try:
        consumer.assign([Place(p.topic, p.partition, offset) for p, offset in positions.items()])
        messages = consumer.consume(1, _WAIT_SECONDS)
        messages += consumer.consume(_MOST - 1, _MORE_SECONDS) if messages else []
        return [_record(message) for message in readable(messages)]
    finally:
        consumer.close()


def _config(kafka: KafkaConnection, isolation_level: str) -> dict[str, str | int | float | bool]:
    return {
        **kafka.confluent(),
        "group.id": "unused",  # librdkafka asks for one, even where partitions are assigned by hand
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": isolation_level,
        "fetch.wait.max.ms": 50,
        "log_level": 3,
    }


def _record(message: Message) -> ConsumerRecord[bytes, bytes]:
    key, value = message.key(), message.value()
    timestamp_type, timestamp = message.timestamp()
    return ConsumerRecord(
        *place(message), timestamp, timestamp_type - 1, key, value, None,
        -1 if key is None else len(key), -1 if value is None else len(value), tuple(headers_of(message)),
    )  # fmt: skip
