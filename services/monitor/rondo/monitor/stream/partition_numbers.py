"""The division of the models by the number of the partition that holds a model in both logs.

Producers choose the partition by the model's name, and both logs have the same number of partitions. So all messages
about a model are in the partitions of one number. The count of numbers is fixed when the first state is saved. If the
logs get more partitions later, a multiple of that count, each number has several of them, and no model changes its
number: (h mod kn) mod n = h mod n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.key_partition import partition_of
from rondo.monitor.errors import PartitionsChangedError, PartitionsDifferError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True)
class PartitionNumber:
    """One of `count` numbers. With a count of 1 it has all models.

    `partitions` is the number of partitions of each log when they were last accepted. Later partitions are not read.
    With None all partitions are read.
    """

    number: int = 0
    count: int = 1
    partitions: int | None = None

    def has(self, model: str) -> bool:
        """Return whether the messages about a model are in the partitions of this number."""
        return number_of(model, self.count) == self.number

    def reads(self, partition: int) -> bool:
        """Return whether a partition belongs to this number and is read."""
        return partition % self.count == self.number and (self.partitions is None or partition < self.partitions)

    def rank(self, partition: int) -> int | None:
        """Return the index of a partition among those of this number. None if it is not read.

        When partitions are added, the partition of a model never gets a lower rank. So older messages have a lower
        rank.
        """
        return partition // self.count if self.reads(partition) else None


EVERYTHING = PartitionNumber()


def number_of(model: str, count: int) -> int:
    """Return the number of a model among `count` numbers."""
    return partition_of(model.encode(), count)


def count_of_numbers(partitions: Mapping[str, int], saved: int | None) -> int:
    """Return the count of numbers, by the partitions of each topic. `saved` is the count of the saved state.

    Raises:
        PartitionsDifferError: the topics have different numbers of partitions.
        PartitionsChangedError: the partitions can't be divided as the saved state is.

    """
    found = max(partitions.values())
    if min(partitions.values()) < found:
        raise PartitionsDifferError(partitions)
    if saved is not None and found % saved:
        raise PartitionsChangedError(found, saved)
    return found if saved is None else saved


def changed_numbers(owned: Collection[int], assigned: Collection[int], count: int) -> tuple[list[int], list[int]]:
    """Return the numbers that a replica loses and gains, ascending, once these partitions are assigned to it.

    The replica that has the partition with the index of a number owns the number. Further partitions of the number do
    not matter, so that no number has two owners.
    """
    mine = {each for each in assigned if each < count}
    return sorted(set(owned) - mine), sorted(mine - set(owned))
