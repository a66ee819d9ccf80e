"""Offsets to commit, and consumer lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Message, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable


def ends(messages: Iterable[Message]) -> list[TopicPartition]:
    """Return, per partition, the offset after the last of these messages."""
    # Messages of a partition are in order: the last one of each remains.
    positions: dict[Any, Any] = {(message.topic(), message.partition()): message.offset() for message in messages}
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in positions.items()]


def lag(consumer: Consumer) -> int:
    """Return the records between a consumer's positions and the ends of the partitions in the last fetch responses.

    A partition of which nothing has been read counts as 0.
    """
    behind = 0
    for position in consumer.position(consumer.assignment()):
        watermarks = consumer.get_watermark_offsets(position, cached=True)
        if watermarks is not None and position.offset >= 0:
            behind += max(watermarks[1] - position.offset, 0)
    return behind
