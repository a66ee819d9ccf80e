"""Where an answer goes: into the partition of its request's number, so that who reads one reads the other.

The topics have the same number of partitions until somebody adds some to one of them. Where there are fewer for the
answers, a request's number is taken modulo theirs: all answers to one key still lie in one partition, in the order of
the requests, but not in the one that a partitioner would choose for the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message


class Partitions:
    """`count` tells how many partitions a topic has; each is asked for once, for a topic never loses one."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._counts: dict[str, int] = {}

    def of(self, topic: str, messages: Sequence[Message]) -> list[int]:
        """Return the partition of `topic` for each of the messages.

        Raises:
            UnavailableError: Kafka does not tell how many there are.

        """
        if topic not in self._counts:
            self._counts[topic] = self._count(topic)
        count = self._counts[topic]
        return [(message.partition() or 0) % count for message in messages]
