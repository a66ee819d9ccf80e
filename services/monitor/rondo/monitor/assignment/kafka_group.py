"""The consumer group in which replicas divide the partitions of `predictions.log` among themselves.

A member fetches nothing, because the positions to read from are in the checkpoints. So the assignment is advisory. The
generation of each number's checkpoints prevents two owners from saving (`state.postgres_state`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.kafka_records import readable
from rondo.chassis.retry import Retry
from rondo.monitor.assignment.ports import Assignment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rondo.contracts.kafka_connection import KafkaConnection

GROUP = "monitor-partitions"
# The shortest timeout that a broker accepts by default. The numbers of a killed replica move after this time.
SESSION_SECONDS = 6.0
_POLL_SECONDS = 0.2
# The interval at which the numbers of partitions are compared.
_LOOK_SECONDS = 30.0
_ANSWER_SECONDS = 3.0


class ReplicaNameTakenError(UnavailableError):
    """Another process is the member of the group with this replica's name."""

    code: ClassVar[str] = "replica_name_taken"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"the group of {name}", "another process has the same name: give each replica a RONDO_REPLICA of its own"
        )


class PartitionGroup:
    """A member of the group. `name` is its static membership: a restart under the same name takes over at once.

    The partitions of the first of `topics` are divided. The partitions of all topics are counted.
    """

    def __init__(self, kafka: KafkaConnection, name: str, topics: tuple[str, ...], group: str = GROUP) -> None:
        self._kafka, self._name, self._topics, self._group = kafka, name, topics, group
        self._retry = Retry(group, (KafkaException, UnavailableError), Backoff(first=0.2), self._note)
        self._trouble: str | None = "has not joined yet"
        self._assigned: frozenset[int] | None = None

    async def run(self, take: Callable[[Assignment], Awaitable[None]]) -> None:
        """Call `take` with the assignment, and again when it or the number of partitions changes, until cancelled.

        The assignment does not change while Kafka is unavailable.
        """
        await self._retry.call(partial(self._follow, take))

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: this replica is not a member of the group.

        """
        if self._trouble:
            raise UnavailableError(f"the group {self._group}", self._trouble)

    def _note(self, error: Exception) -> None:
        self._trouble = str(error)

    async def _follow(self, take: Callable[[Assignment], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        taken: Assignment | None = None
        self._assigned, looked, counts = None, 0.0, dict[str, int]()
        with ThreadPoolExecutor(1, self._group) as thread:
            consumer = Consumer(self._config(), logger=logging.getLogger("librdkafka"))
            try:
                consumer.subscribe([self._topics[0]], self._on_assign, on_revoke=_keep, on_lost=_keep)
                while True:
                    await loop.run_in_executor(thread, self._poll, consumer)
                    if self._assigned is None:
                        continue
                    if time.monotonic() - looked >= _LOOK_SECONDS or counts.get(self._topics[0], 0) <= max(
                        self._assigned, default=0
                    ):
                        counts = await loop.run_in_executor(thread, self._count, consumer)
                        looked = time.monotonic()
                    if (found := Assignment(self._assigned, counts)) != taken:
                        await take(found)
                        taken = found
                    self._trouble = None
                    self._retry.progressed()
            finally:
                await loop.run_in_executor(thread, consumer.close)

    def _poll(self, consumer: Consumer) -> None:
        message = consumer.poll(_POLL_SECONDS)
        if message is None:
            return
        try:
            readable([message])
        except KafkaException as error:
            found = error.args[0]
            # Only the text of a fatal error has its cause.
            if found.code() == KafkaError._FATAL and "group.instance.id" in found.str():  # noqa: SLF001 - its public name
                raise ReplicaNameTakenError(self._name) from error
            raise

    def _count(self, consumer: Consumer) -> dict[str, int]:
        """Return the number of partitions of each topic."""
        topics = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        if missing := [topic for topic in self._topics if topic not in topics]:
            raise UnavailableError(", ".join(missing), "the topic does not exist yet")
        return {topic: len(topics[topic].partitions) for topic in self._topics}

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign([TopicPartition(each.topic, each.partition, OFFSET_END) for each in partitions])
        consumer.pause(partitions)
        self._assigned = frozenset(each.partition for each in partitions)

    def _config(self) -> dict[str, str | int | float | bool]:
        return {
            **self._kafka.confluent(),
            "client.id": self._name,
            "group.id": self._group,
            "group.instance.id": self._name,
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            # Round robin assigns the numbers evenly, also where a topic has several partitions for each number. It is
            # not cooperative, see `rondo.chassis.stream.group_owners`.
            "partition.assignment.strategy": "roundrobin",
            "session.timeout.ms": int(SESSION_SECONDS * 1000),
            "heartbeat.interval.ms": 500,
            "log_level": 3,
        }


def _keep(*_: object) -> None:
    """Change nothing. The next assignment has the changes, and until then the generation protects the checkpoints."""
