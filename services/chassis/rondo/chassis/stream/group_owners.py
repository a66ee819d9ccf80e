"""Finds partitions of a consumer group that no member owns, and makes the group assign them.

A cooperative rebalance has two steps: the old owner of a partition releases it, then the new owner gets it. A static
member that dies between them and comes back under its name gets its assignment of the first step, without a rebalance
(KIP-345). What it released then has no owner until the next rebalance, and no member learns of it (seen on Kafka 4.3).

So a member that has come back looks at the group, until it has seen that each partition has an owner. If one has none
for longer than its old owner may take to release it, the member lets a dynamic member join and leave. The group then
assigns all partitions again. The dynamic member subscribes to another topic, because it would get a share of the
partitions of the stream.

While Kafka is unavailable nobody looks. librdkafka 2.x ends the process with a failed assertion if the broker comes
back after a description of a group has timed out (`rd_kafka_enq_once_del_source_return`, seen with a broker that was
away for 75 s). A request for metadata, which has no such fault, therefore precedes each description.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from rondo.chassis import metrics
from rondo.chassis.stream.rebalance import REVOKE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from rondo.chassis.stream.config import StreamSettings
    from rondo.chassis.stream.rebalance import Partition

log = logging.getLogger(__name__)
_LIBRARY_LOG = logging.getLogger("librdkafka")
_LOOK_SECONDS = 3.0
# While a partition is revoked it has no owner. One look more lets the group assign it.
_LONGEST_REVOCATION = REVOKE_SECONDS + _LOOK_SECONDS
_ANSWER_SECONDS = 10.0
_JOIN_SECONDS = 30.0
_POLL_SECONDS = 0.05


class GroupView(NamedTuple):
    """The replicas of a group by name, and the partitions that its members own. It is not stable in a rebalance."""

    is_stable: bool
    replicas: Collection[str]
    owned: Collection[Partition]


def partitions_without_owner(group: GroupView, topics: Mapping[str, int]) -> set[Partition]:
    """Return the partitions of topics with these numbers of partitions that no member owns.

    During a rebalance, and in a group without replicas, that says nothing, so the result is empty.
    """
    if not group.is_stable or not group.replicas:
        return set()
    everything = {(topic, partition) for topic, count in topics.items() for partition in range(count)}
    return everything - set(group.owned)


def without_owner_since(
    before: Mapping[Partition, float], found: Collection[Partition], now: float
) -> dict[Partition, float]:
    """Return since when partitions that were `found` without owner have none."""
    return {each: before.get(each, now) for each in found}


def view_of(members: Iterable[Any], *, is_stable: bool) -> GroupView:
    """Return a group with these members. Those without a static name are no replicas, and only join for a moment."""
    described = list(members)
    owned = {(each.topic, each.partition) for member in described for each in member.assignment.topic_partitions}
    return GroupView(is_stable, {each.group_instance_id for each in described if each.group_instance_id}, owned)


class GroupOwners:
    """Looks after the partitions of a stream's group."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._since: dict[Partition, float] = {}
        # The codes of errors that were reported since the last successful look.
        self._reported: set[int] = set()
        self._looks = True

    def look_again(self) -> None:
        """Look until each partition has an owner. A stream calls it when it joins the group, on its own thread."""
        self._looks = True

    async def run(self) -> None:
        """Look until cancelled. An error that is none of Kafka ends it, because it is a bug."""
        admin = AdminClient(self._settings.kafka.confluent() | {"log_level": 0}, logger=_LIBRARY_LOG)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._looks:
                continue
            try:
                await self._look(admin)
            except KafkaException as error:
                self._report(error.args[0])
            else:
                self._reported.clear()

    def _report(self, error: KafkaError) -> None:
        """Report each kind of error once, because a look fails every few seconds while Kafka is unavailable."""
        if error.code() in self._reported:
            return
        self._reported.add(error.code())
        log.warning(
            "stream %s: partitions without owner can't be found: %s. If Kafka is available, allow this service to"
            " describe its consumer group and its topics", self._settings.name, error.str(),
        )  # fmt: skip

    async def _look(self, admin: AdminClient) -> None:
        settings = self._settings
        group, counts = await self._view(admin)
        missing, now = partitions_without_owner(group, counts), time.monotonic()
        # A stream that begins to look at this moment is not in the group yet.
        self._looks = bool(missing) or not group.is_stable or settings.instance not in group.replicas
        self._since = without_owner_since(self._since, missing, now)
        left = [each for each, since in self._since.items() if now - since > _LONGEST_REVOCATION]
        if left:
            names = ", ".join(f"{topic}-{partition}" for topic, partition in sorted(left))
            log.warning("stream %s: no replica owns %s, so the group assigns them again", settings.name, names)
            metrics.STREAM_REASSIGNMENTS.labels(settings.name).inc()
            await self._assign_again()
            self._since = {}

    async def _view(self, admin: AdminClient) -> tuple[GroupView, dict[str, int]]:
        """Return the group, and the number of partitions of each topic."""
        topics = (await asyncio.to_thread(admin.list_topics, timeout=_ANSWER_SECONDS)).topics
        [described] = admin.describe_consumer_groups([self._settings.name], request_timeout=_ANSWER_SECONDS).values()
        found = await asyncio.wrap_future(described)
        group = view_of(found.members, is_stable=found.state is ConsumerGroupState.STABLE)
        return group, {name: len(topics[name].partitions) for name in self._settings.topics if name in topics}

    async def _assign_again(self) -> None:
        """Join the group as a dynamic member, and leave it. Nothing that this member reads is committed."""
        config = self._settings.consumer_config() | {"client.id": f"{self._settings.instance}-balancer"}
        del config["group.instance.id"]
        consumer, joined = Consumer(config, logger=_LIBRARY_LOG), asyncio.Event()
        try:
            consumer.subscribe([self._settings.dead_letters], on_assign=lambda *_: joined.set())
            until = time.monotonic() + _JOIN_SECONDS
            while not joined.is_set() and time.monotonic() < until:
                consumer.poll(0)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            await asyncio.to_thread(consumer.close)
