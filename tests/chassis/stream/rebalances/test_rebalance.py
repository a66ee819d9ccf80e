"""Decisions at a rebalance: no offset is taken twice or left out, and a refused micro-batch is written again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.errors import UnavailableError
from rondo.chassis.stream.rebalance import (
    MAX_REWRITES,
    AfterError,
    Epochs,
    PartitionsMovedError,
    decide_after,
    gathered,
    without,
)

STALE = ("ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH")
CODES = [getattr(KafkaError, name) for name in dir(KafkaError) if name.lstrip("_").isupper()]


@dataclass(frozen=True)
class Message:
    number: int
    at: int

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at


def refusal(code: int, *, fatal: bool = False) -> KafkaException:
    return KafkaException(KafkaError(code, "refused", fatal))


@pytest.mark.parametrize("name", STALE)
def test_a_micro_batch_of_an_earlier_generation_is_written_again_a_few_times(name: str) -> None:
    steps = [decide_after(refusal(getattr(KafkaError, name)), rewrites) for rewrites in range(MAX_REWRITES + 1)]
    assert steps == [AfterError.REWRITE] * MAX_REWRITES + [AfterError.RESTART]


@given(st.sampled_from(CODES), st.booleans(), st.integers(0, 2 * MAX_REWRITES))
def test_each_other_error_restarts_with_new_clients(code: int, fatal: bool, rewrites: int) -> None:  # noqa: FBT001
    is_stale = code in {getattr(KafkaError, name) for name in STALE}
    again = is_stale and not fatal and rewrites < MAX_REWRITES
    assert (decide_after(refusal(code, fatal=fatal), rewrites) is AfterError.REWRITE) == again


@pytest.mark.parametrize("error", [UnavailableError("Kafka", "slow"), RuntimeError("a bug"), KeyboardInterrupt()])
def test_an_error_of_another_kind_restarts(error: BaseException) -> None:
    assert decide_after(error, 0) is AfterError.RESTART


@given(st.lists(st.sets(st.integers(0, 3))), st.lists(st.sets(st.integers(0, 3))), st.sets(st.integers(0, 3)))
def test_a_partition_has_left_if_it_was_taken_since(
    before: list[set[int]], after: list[set[int]], read: set[int]
) -> None:
    epochs = Epochs()
    for each in before:
        epochs.leave(("t", number) for number in each)
    known = epochs.of(("t", number) for number in read)
    assert epochs.left(known) == set()
    for each in after:
        epochs.leave(("t", number) for number in each)
    assert epochs.left(known) == {("t", number) for number in set().union(*after) & read}


@given(st.lists(st.integers(0, 3)), st.sets(st.integers(0, 3)))
def test_the_messages_of_other_partitions_stay_in_order(numbers: list[int], left: set[int]) -> None:
    messages: Any = [Message(number, at) for at, number in enumerate(numbers)]
    assert without(messages, {("t", number) for number in left}) == [m for m in messages if m.number not in left]


class Group:
    """Two partitions with a committed offset each. Another member owns them in between, and commits at random.

    `call` reads as `consume` does: messages, and callbacks among them.
    """

    def __init__(self) -> None:
        self.committed, self.position, self.owned = [0, 0], [0, 0], {0, 1}

    def call(self, events: list[tuple[str, int]]) -> tuple[list[Any], set[tuple[str, int]], set[tuple[str, int]]]:
        found, revoked, assigned = list[Any](), set[tuple[str, int]](), set[tuple[str, int]]()
        for name, number in events:
            if name == "message" and number in self.owned:
                found.append(Message(number, self.position[number]))
                self.position[number] += 1
            elif name == "revoke" and number in self.owned:
                self.owned.remove(number)
                revoked.add(("t", number))
            elif name == "other" and number not in self.owned:
                self.committed[number] += 1
            elif name == "assign" and number not in self.owned:
                self.owned.add(number)
                self.position[number] = self.committed[number]
                assigned.add(("t", number))
        return found, revoked, assigned


EVENTS = st.tuples(st.sampled_from(["message"] * 4 + ["revoke", "other", "other", "assign"]), st.integers(0, 1))


@given(st.lists(st.lists(EVENTS, max_size=12), max_size=8))
def test_a_micro_batch_continues_at_the_committed_offset_of_each_partition(calls: list[list[tuple[str, int]]]) -> None:
    group, held = Group(), list[Any]()
    for events in calls:
        found, revoked, assigned = group.call(events)
        if unclear := revoked & assigned & {("t", message.number) for message in found}:
            with pytest.raises(PartitionsMovedError) as caught:
                gathered(held, found, revoked, assigned)
            assert set(caught.value.partitions) == unclear
            return
        held = gathered(held, found, revoked, assigned)
    for number in (0, 1):
        offsets = [message.at for message in held if message.number == number]
        end = group.position[number] if number in group.owned else group.committed[number]
        first = group.committed[number] if number in group.owned else end
        assert offsets == list(range(first, end))
