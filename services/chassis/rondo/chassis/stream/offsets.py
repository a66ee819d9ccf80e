"""Offsets to commit, and consumer lag."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Message, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOPIC, _PARTITION, _OFFSET = methodcaller("topic"), methodcaller("partition"), methodcaller("offset")


def ends(messages: Sequence[Message]) -> list[TopicPartition]:
    """Return for each partition the offset after the last of these messages."""
    # Messages of a partition are in order, so the mapping keeps the last one of each.
    partitions = zip(map(_TOPIC, messages), map(_PARTITION, messages), strict=True)
    positions: dict[Any, Any] = dict(zip(partitions, map(_OFFSET, messages), strict=True))
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in positions.items()]


def lag(consumer: Consumer) -> int:
    """Return the number of records from a consumer's positions to the ends of partitions in the last fetch responses.

    A partition from which nothing was read counts as 0.
    """
    behind = 0
    for position in consumer.position(consumer.assignment()):
        watermarks = consumer.get_watermark_offsets(position, cached=True)
        if watermarks is not None and position.offset >= 0:
            behind += max(watermarks[1] - position.offset, 0)
    return behind
