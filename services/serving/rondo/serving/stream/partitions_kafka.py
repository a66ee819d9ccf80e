"""Assigns an answer to the partition with the same number as its request's, so that a client knows where to read.

The topics have the same number of partitions until an operator adds partitions to one of them. If the topic of answers
has fewer, the number is taken modulo theirs. All answers to one key are then still in one partition, in the order of
the requests except for repeated ones, but not in the partition that a partitioner would choose for the key.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from confluent_kafka import Message

    from rondo.contracts.kafka_connection import KafkaConnection

_TIMEOUT_SECONDS = 5
_PARTITION = methodcaller("partition")


class Partitions:
    """The partitions of answers.

    `count` returns the number of partitions of a topic. It is called once per topic, because Kafka never removes
    partitions.
    """

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._counts: dict[str, int] = {}

    def of(self, topic: str, messages: Sequence[Message]) -> list[int]:
        """Return the partition of `topic` for each of the messages.

        Raises:
            UnavailableError: Kafka does not answer.

        """
        count = self._count_of(topic)
        found = list(map(_PARTITION, messages))
        return found if max(found, default=0) < count else [partition % count for partition in found]

    def number(self, topic: str, partition: int) -> int:
        """Return the partition of `topic` for messages of the partition `partition`. Errors are those of `of`."""
        return partition % self._count_of(topic)

    def known(self, topic: str, partitions: Collection[int]) -> set[int] | None:
        """Return the partitions of `topic` for messages of these partitions. None if Kafka was not asked for them yet.

        This does not wait for Kafka.
        """
        count = self._counts.get(topic)
        return None if count is None else {partition % count for partition in partitions}

    def _count_of(self, topic: str) -> int:
        if topic not in self._counts:
            self._counts[topic] = self._count(topic)
        return self._counts[topic]


def partition_count(kafka: KafkaConnection, topic: str) -> int:
    """Return the number of partitions of a topic. The call blocks for up to 5 s.

    Raises:
        UnavailableError: Kafka does not answer, or the topic does not exist.

    """
    try:
        found = AdminClient(kafka.confluent() | {"log_level": 0}).list_topics(topic, _TIMEOUT_SECONDS)
    except KafkaException as error:
        raise UnavailableError(f"Kafka at {kafka}", error.args[0].str()) from error
    if not (count := len(found.topics[topic].partitions)):
        raise UnavailableError(f"the topic {topic}", "it does not exist: restart this service, which creates it")
    return count
