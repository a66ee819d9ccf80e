"""Partitions that no member owns are found, and one member makes the group assign them again."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.stream.group_owners import GroupView, is_responsible, partitions_without_owner
from rondo.contracts.kafka_connection import KafkaConnection

from tests.chassis.stream.rebalances.members import Member
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chassis.stream.copies import Topics

TOPICS = {"a": 3, "b": 2}
PLACES = [(topic, number) for topic, count in TOPICS.items() for number in range(count)]


@given(st.dictionaries(st.sampled_from("xyz"), st.sets(st.sampled_from(PLACES)), min_size=1))
def test_each_partition_without_owner_is_found(members: dict[str, set[tuple[str, int]]]) -> None:
    group = GroupView(is_stable=True, members=members)
    assert partitions_without_owner(group, TOPICS) == {
        each for each in PLACES if not any(each in mine for mine in members.values())
    }
    assert [name for name in "xyz" if is_responsible(name, group)] == [min(members)]


@pytest.mark.parametrize(
    "group", [GroupView(is_stable=False, members={"x": ()}), GroupView(is_stable=True, members={})]
)
def test_a_group_that_rebalances_or_has_no_member_says_nothing(group: GroupView) -> None:
    assert partitions_without_owner(group, TOPICS) == set()


@pytest.mark.slow
def test_what_a_member_released_that_died_between_the_steps_of_a_rebalance_gets_an_owner(
    topics: Topics, tmp_path: Path
) -> None:
    admin = AdminClient(KafkaConnection(topics.bootstrap).confluent())

    def owned() -> dict[str, int]:
        group: Any = admin.describe_consumer_groups([topics.name])[topics.name].result(10)
        if group.state is not ConsumerGroupState.STABLE:
            return {}
        return {member.client_id: len(member.assignment.topic_partitions) for member in group.members}

    with Member(topics, "a", tmp_path, "--die-at-revocation") as first, Member(topics, "b", tmp_path) as second:
        first.start()
        asyncio.run(until(lambda: owned() == {"a": 4}, 30))
        second.start()
        assert first.wait(30) == os.EX_SOFTWARE
        first.arguments = ()
        first.start()
        asyncio.run(until(lambda: owned() == {"a": 2, "b": 2}, 30))
