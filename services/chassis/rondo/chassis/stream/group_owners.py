"""Finds partitions of a consumer group that no member owns, and makes the group assign them.

A cooperative rebalance has two steps: the old owner of a partition releases it, then the new owner gets it. A static
member that dies between them and comes back under its name gets its assignment of the first step, without a rebalance
(KIP-345). What it released then has no owner until the next rebalance, and no member learns of it (seen on Kafka 4.3).

So each member looks at the group now and then. If a partition has no owner in two consecutive looks, one member lets a
dynamic member join and leave. The group then assigns all partitions again, and those that have an owner keep it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from rondo.chassis import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rondo.chassis.stream.config import StreamSettings
    from rondo.chassis.stream.rebalance import Partition

log = logging.getLogger(__name__)
_LIBRARY_LOG = logging.getLogger("librdkafka")
_LOOK_SECONDS = 3.0
_ANSWER_SECONDS = 10.0
_JOIN_SECONDS = 30.0
_POLL_SECONDS = 0.05


class GroupView(NamedTuple):
    """The members of a group with their partitions. `is_stable` is False while the group rebalances."""

    is_stable: bool
    members: Mapping[str, Collection[Partition]]


def partitions_without_owner(group: GroupView, topics: Mapping[str, int]) -> set[Partition]:
    """Return the partitions of topics with these numbers of partitions that no member owns.

    During a rebalance, and in a group without members, that says nothing, so the result is empty.
    """
    if not group.is_stable or not group.members:
        return set()
    everything = {(topic, partition) for topic, count in topics.items() for partition in range(count)}
    return everything.difference(*group.members.values())


def is_responsible(name: str, group: GroupView) -> bool:
    """Return whether this member is the one that acts for the group."""
    return name == min(group.members, default=None)


class GroupOwners:
    """Looks after the partitions of a stream's group."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._found: set[Partition] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        admin = AdminClient(self._settings.kafka.confluent() | {"log_level": 0}, logger=_LIBRARY_LOG)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look(admin)
            except KafkaException as error:
                # The stream itself reports that Kafka is unavailable.
                log.info("the owners of %s are unknown: %s", self._settings.name, error.args[0].str())

    async def _look(self, admin: AdminClient) -> None:
        settings = self._settings
        [described] = admin.describe_consumer_groups([settings.name], request_timeout=_ANSWER_SECONDS).values()
        topics = admin.describe_topics(TopicCollection([*settings.topics]), request_timeout=_ANSWER_SECONDS)
        found = await asyncio.wrap_future(described)
        counts = {name: len((await asyncio.wrap_future(topic)).partitions) for name, topic in topics.items()}
        group = GroupView(
            found.state is ConsumerGroupState.STABLE,
            {
                member.client_id: {(each.topic, each.partition) for each in member.assignment.topic_partitions}
                for member in found.members
            },
        )
        before, self._found = self._found, partitions_without_owner(group, counts)
        if (left := self._found & before) and is_responsible(settings.instance, group):
            names = ", ".join(f"{topic}-{partition}" for topic, partition in sorted(left))
            log.warning("stream %s: no replica owns %s, so the group assigns them again", settings.name, names)
            metrics.STREAM_REASSIGNMENTS.labels(settings.name).inc()
            await self._assign_again()
            self._found = set()

    async def _assign_again(self) -> None:
        """Join the group as a dynamic member, and leave it. Nothing that this member reads is committed."""
        config = self._settings.consumer_config() | {"client.id": f"{self._settings.instance}-balancer"}
        del config["group.instance.id"]
        consumer, joined = Consumer(config, logger=_LIBRARY_LOG), asyncio.Event()
        try:
            consumer.subscribe([*self._settings.topics], on_assign=lambda *_: joined.set())
            until = time.monotonic() + _JOIN_SECONDS
            while not joined.is_set() and time.monotonic() < until:
                consumer.poll(0)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            await asyncio.to_thread(consumer.close)
