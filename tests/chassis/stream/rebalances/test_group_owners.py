"""Partitions that no member owns are found, and one member makes the group assign them again."""

from __future__ import annotations

import asyncio
import logging
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.stream import group_owners
from rondo.chassis.stream.group_owners import (
    GroupOwners,
    GroupView,
    partitions_without_owner,
    view_of,
    without_owner_since,
)
from rondo.chassis.stream.rebalance import REVOKE_SECONDS
from rondo.contracts.kafka_connection import KafkaConnection

from tests.chassis.stream.copies import unconnected
from tests.chassis.stream.rebalances.members import Member
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chassis.stream.copies import Topics

TOPICS = {"a": 3, "b": 2}
PLACES = [(topic, number) for topic, count in TOPICS.items() for number in range(count)]


def member(static: str | None, owned: set[tuple[str, int]]) -> Any:
    assignment = SimpleNamespace(topic_partitions=[TopicPartition(*each) for each in owned])
    return SimpleNamespace(client_id="same", group_instance_id=static, assignment=assignment)


@given(
    st.lists(
        st.tuples(st.sampled_from(["x", "y", "z", None]), st.sets(st.sampled_from(PLACES))),
        min_size=1,
        unique_by=lambda each: each[0],
    )
)
def test_each_partition_without_owner_is_found(members: list[tuple[str | None, set[tuple[str, int]]]]) -> None:
    group = view_of([member(*each) for each in members], is_stable=True)
    names = [name for name, _ in members if name is not None]
    left = set(PLACES).difference(*(owned for _, owned in members))
    assert partitions_without_owner(group, TOPICS) == (left if names else set())


@given(st.lists(st.sets(st.sampled_from(PLACES))))
def test_the_time_without_owner_begins_again_once_a_partition_had_one(looks: list[set[tuple[str, int]]]) -> None:
    since: dict[tuple[str, int], float] = {}
    for now, found in enumerate(looks):
        since = without_owner_since(since, found, now)
        assert since.keys() == found
        for each, began in since.items():
            assert all(each in looks[look] for look in range(int(began), now + 1))
            assert began == 0 or each not in looks[int(began) - 1]


def test_a_partition_has_no_owner_for_longer_than_a_revocation_before_it_is_assigned_again() -> None:
    assert group_owners._LONGEST_REVOCATION >= REVOKE_SECONDS + group_owners._LOOK_SECONDS


async def test_an_error_of_kafka_is_reported_once_and_another_one_ends_the_look(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(group_owners, "_LOOK_SECONDS", 0.0)
    codes = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._TRANSPORT)
    errors = iter([*(KafkaException(KafkaError(codes[number % 2])) for number in range(6)), ZeroDivisionError()])

    async def look(*_: object) -> None:
        raise next(errors)

    monkeypatch.setattr(GroupOwners, "_look", look)
    stream = unconnected()
    monkeypatch.setattr(type(stream), "_run", lambda stream: stream._stop.wait(30))
    with caplog.at_level(logging.WARNING, "rondo.chassis.stream.group_owners"), pytest.raises(ZeroDivisionError):
        await stream.run()
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == [
        KafkaError(code).str() for code in codes
    ]


@pytest.mark.parametrize(
    "group", [GroupView(is_stable=False, replicas={"x"}, owned=()), GroupView(is_stable=True, replicas=(), owned=())]
)
def test_a_group_that_rebalances_or_has_no_member_says_nothing(group: GroupView) -> None:
    assert partitions_without_owner(group, TOPICS) == set()


async def test_a_member_looks_until_each_partition_has_an_owner_and_again_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A description of a group that times out can end the process, so none is asked for without a reason."""
    monkeypatch.setattr(group_owners, "_LOOK_SECONDS", 0.0)
    settings = unconnected()._settings
    moves = GroupView(is_stable=False, replicas={settings.instance}, owned=())
    others = GroupView(is_stable=True, replicas={"another"}, owned=PLACES)
    part = GroupView(is_stable=True, replicas={settings.instance}, owned=PLACES[1:])
    whole = GroupView(is_stable=True, replicas={settings.instance}, owned=PLACES)
    views, seen = iter([moves, others, part, whole, whole]), asyncio.Semaphore(0)

    async def view(*_: object) -> tuple[GroupView, dict[str, int]]:
        seen.release()
        return next(views), TOPICS

    monkeypatch.setattr(GroupOwners, "_view", view)
    owners = GroupOwners(settings)
    looking = asyncio.create_task(owners.run())
    for _ in range(4):
        await seen.acquire()
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen.locked()
    owners.look_again()
    await asyncio.wait_for(seen.acquire(), 10)
    looking.cancel()


@pytest.mark.slow
def test_what_a_member_released_that_died_between_the_steps_of_a_rebalance_gets_an_owner(
    topics: Topics, tmp_path: Path
) -> None:
    admin = AdminClient(KafkaConnection(topics.bootstrap).confluent())

    def owned() -> dict[str, int]:
        try:
            group: Any = admin.describe_consumer_groups([topics.name])[topics.name].result(30)
        except KafkaException:
            return {}  # a new broker still loads its coordinator
        if group.state is not ConsumerGroupState.STABLE:
            return {}
        return {member.client_id: len(member.assignment.topic_partitions) for member in group.members}

    with Member(topics, "a", tmp_path, "--die-at-revocation") as first, Member(topics, "b", tmp_path) as second:
        first.start()
        asyncio.run(until(lambda: owned() == {"a": 4}, 60))
        second.start()
        assert first.wait(60) == os.EX_SOFTWARE
        first.arguments = ()
        first.start()
        asyncio.run(until(lambda: owned() == {"a": 2, "b": 2}, 60))
