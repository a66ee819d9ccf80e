"""The models, partitions and numbers that belong together, and the numbers that a replica has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.errors import PartitionsChangedError, PartitionsDifferError
from rondo.monitor.stream.partition_numbers import (
    EVERYTHING,
    PartitionNumber,
    changed_numbers,
    count_of_numbers,
    number_of,
)

COUNTS = st.integers(1, 12)
LOGS = ("predictions.log", "outcomes.log")


def both(partitions: int) -> dict[str, int]:
    return dict.fromkeys(LOGS, partitions)


@given(st.text(min_size=1), COUNTS, st.integers(1, 4))
def test_a_model_and_each_partition_have_one_number(model: str, count: int, times: int) -> None:
    parts = [PartitionNumber(number, count) for number in range(count)]
    assert [each.number for each in parts if each.has(model)] == [number_of(model, count)]
    owners = [[each.number for each in parts if each.reads(partition)] for partition in range(count * times)]
    assert all(len(each) == 1 for each in owners)
    # Also the partition that gets the model's messages once there are more partitions.
    (part,) = (each for each in parts if each.has(model))
    assert part.reads(number_of(model, count * times))


@given(st.text(min_size=1), COUNTS, st.integers(1, 4), st.integers(1, 4))
def test_the_partitions_that_a_model_had_before_have_lower_ranks(model: str, count: int, once: int, more: int) -> None:
    part = PartitionNumber(number_of(model, count), count)
    before, after = number_of(model, count * once), number_of(model, count * once * more)
    ranks = [part.rank(before), part.rank(after)]
    assert None not in ranks
    assert before == after or ranks[0] < ranks[1]


def test_partitions_that_were_added_later_are_not_read() -> None:
    ranks = [PartitionNumber(1, 3, 6).rank(partition) for partition in range(9)]
    assert ranks == [None, 0, None, None, 1, None, None, None, None]


@given(st.text(), st.integers(0, 100))
def test_without_a_division_one_number_has_everything(model: str, partition: int) -> None:
    assert EVERYTHING.has(model)
    assert EVERYTHING.reads(partition)


def test_the_numbers_are_as_many_as_the_partitions_at_the_first_start() -> None:
    assert count_of_numbers(both(6), None) == 6
    assert count_of_numbers(both(6), 6) == 6


def test_more_partitions_leave_the_numbers_as_they_are() -> None:
    assert count_of_numbers(both(12), 6) == 6


@pytest.mark.parametrize("partitions", [4, 8, 9])
def test_partitions_that_would_move_models_are_refused(partitions: int) -> None:
    with pytest.raises(PartitionsChangedError) as refused:
        count_of_numbers(both(partitions), 6)
    assert (refused.value.partitions, refused.value.saved) == (partitions, 6)


def test_logs_with_different_numbers_of_partitions_are_refused() -> None:
    with pytest.raises(PartitionsDifferError) as refused:
        count_of_numbers({"predictions.log": 12, "outcomes.log": 6}, None)
    assert refused.value.partitions == {"predictions.log": 12, "outcomes.log": 6}


def test_the_refusals_say_what_to_do() -> None:
    with pytest.raises(PartitionsDifferError) as differ:
        count_of_numbers({"predictions.log": 12, "outcomes.log": 6}, None)
    have = "the logs need equal numbers of partitions, and predictions.log has 12 and outcomes.log has 6"
    assert f"{have}: add partitions to outcomes.log until it has 12" in str(differ.value)
    with pytest.raises(PartitionsChangedError) as changed:
        count_of_numbers(both(8), 6)
    divided = "the logs have 8 partitions, and the saved state is divided by 6"
    assert f"{divided}: add partitions until there are 12, a multiple of 6" in str(changed.value)


@given(COUNTS, st.data())
def test_replicas_own_each_number_once_however_partitions_move(count: int, data: st.DataObject) -> None:
    partitions = count * data.draw(st.integers(1, 3), "times")
    owned: list[set[int]] = [set(), set(), set()]
    for _ in range(data.draw(st.integers(1, 4), "rebalances")):
        holders = data.draw(st.lists(st.integers(0, 2), min_size=partitions, max_size=partitions), "holders")
        for replica in range(3):
            assigned = {partition for partition, holder in enumerate(holders) if holder == replica}
            lost, gained = changed_numbers(owned[replica], assigned, count)
            assert set(lost) <= owned[replica]
            assert not set(gained) & owned[replica]
            owned[replica] = (owned[replica] - set(lost)) | set(gained)
        assert sorted(number for each in owned for number in each) == list(range(count))


def test_what_stays_assigned_goes_on() -> None:
    assert changed_numbers({0, 1, 2}, {1, 2, 3}, 6) == ([0], [3])
    assert changed_numbers({1}, set(), 6) == ([1], [])
