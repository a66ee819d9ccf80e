"""The division of partitions among replicas, on a real broker."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from rondo.chassis.errors import UnavailableError
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.monitor.assignment import kafka_group
from rondo.monitor.assignment.kafka_group import PartitionGroup

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.monitor.assignment.ports import Assignment

pytestmark = pytest.mark.medium
PARTITIONS = 4


class Member:
    """A replica that records its assignments."""

    def __init__(self, group: PartitionGroup) -> None:
        self.group = group
        self.taken: list[Assignment] = []

    async def take(self, assignment: Assignment) -> None:
        self.taken.append(assignment)

    @property
    def assigned(self) -> set[int]:
        return set(self.taken[-1].assigned) if self.taken else set()


class Logs:
    """Two topics, and the group that divides the first."""

    def __init__(self, kafka: str) -> None:
        self.kafka, run = kafka, uuid4().hex[:8]
        self.topics, self.group = (f"predictions-{run}", f"outcomes-{run}"), f"group-{run}"
        self.admin = AdminClient(KafkaConnection(kafka).confluent())
        for future in self.admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in self.topics]).values():
            future.result(20)

    @asynccontextmanager
    async def member(self, name: str) -> AsyncIterator[Member]:
        member = Member(PartitionGroup(KafkaConnection(self.kafka), name, self.topics, self.group))
        task = asyncio.create_task(member.group.run(member.take))
        try:
            yield member
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.fixture
def logs(kafka: str) -> Logs:
    return Logs(kafka)


async def test_members_divide_the_partitions(logs: Logs) -> None:
    async with AsyncExitStack() as opened:
        members = [await opened.enter_async_context(logs.member("a"))]
        with pytest.raises(UnavailableError):
            await members[0].group.check()
        await until(lambda: members[0].assigned == set(range(PARTITIONS)))
        assert members[0].taken[-1].partitions == dict.fromkeys(logs.topics, PARTITIONS)
        for name in ("b", "c", "d", "e"):
            members.append(await opened.enter_async_context(logs.member(name)))
            most = -(-PARTITIONS // len(members))
            await until(
                lambda most=most: (
                    sorted(p for each in members for p in each.assigned) == list(range(PARTITIONS))
                    and all(len(each.assigned) <= most and each.taken for each in members)
                )
            )
        # There is one member more than there are partitions. It has none, and is ready to take over.
        assert sorted(len(each.assigned) for each in members) == [0, 1, 1, 1, 1]
        for each in members:
            await each.group.check()


@pytest.mark.slow
async def test_a_restart_under_the_same_name_takes_over_at_once(logs: Logs) -> None:
    async with logs.member("a") as first:
        async with logs.member("b") as second:
            await until(lambda: len(first.assigned) == len(second.assigned) == 2)
        async with logs.member("b") as again:
            async with asyncio.timeout(kafka_group.SESSION_SECONDS / 2):
                await until(lambda: again.assigned == second.assigned)
            assert first.assigned == set(range(PARTITIONS)) - again.assigned


async def test_a_second_process_of_the_same_name_is_told_so(logs: Logs) -> None:
    async with logs.member("a") as first:
        await until(lambda: first.assigned)
        async with logs.member("a"):

            async def refused() -> str:
                try:
                    await first.group.check()
                except UnavailableError as error:
                    return error.why
                return ""

            said = "another process has the same name: give each replica a RONDO_REPLICA of its own"
            assert said in await until(refused)


async def test_more_partitions_are_noticed_in_either_topic(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_group, "_LOOK_SECONDS", 0.0)
    async with logs.member("a") as member:
        await until(lambda: member.assigned)
        logs.admin.create_partitions([NewPartitions(logs.topics[1], 2 * PARTITIONS)])[logs.topics[1]].result(20)
        counts = {logs.topics[0]: PARTITIONS, logs.topics[1]: 2 * PARTITIONS}
        await until(lambda: member.taken[-1].partitions == counts)
        assert member.assigned == set(range(PARTITIONS))
