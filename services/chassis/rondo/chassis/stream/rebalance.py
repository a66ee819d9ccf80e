"""Decides what becomes of messages and of a micro-batch at a cooperative rebalance, only from counts and error codes.

A cooperative rebalance raises the generation of the group first. Then it takes partitions from their owners, or none.
So the broker refuses the micro-batch in flight once per rebalance, even where it owns all its partitions. It is written
again with metadata of the new generation. That is safe as long as no partition of it has left this replica since it was
read, because a partition gets another owner only after its old owner has released it or has left the group.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from rondo.chassis.kafka_records import place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from confluent_kafka import Message

Partition = tuple[str, int]
# The time that a rebalance waits for the micro-batch in flight. A commit that takes longer is fenced. It is less than
# `max.poll.interval.ms`.
REVOKE_SECONDS = 8.0
# The number of times that one micro-batch is written again.
MAX_REWRITES = 5
# The answers of the coordinator to metadata of an earlier generation.
_STALE = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)


class AfterError(Enum):
    """The next step after a transaction has failed and was aborted."""

    REWRITE = "write the same output again, with new metadata of the group"
    RESTART = "read again from the committed offsets, with new clients"


class PartitionsMovedError(Exception):
    """Partitions were revoked while a micro-batch was gathered. Their new owner reads the same messages."""

    def __init__(self, partitions: Iterable[Partition]) -> None:
        self.partitions = sorted(partitions)
        names = ", ".join(f"{topic}-{partition}" for topic, partition in self.partitions)
        super().__init__(f"{names} moved to another replica, which reads the unanswered messages again")


def decide_after(error: BaseException, rewrites: int) -> AfterError:
    """Return the next step after an error of a transaction that was written again `rewrites` times.

    The number of rewrites is limited, because a member that the group has lost is refused each time.
    """
    if not isinstance(error, KafkaException) or error.args[0].fatal() or rewrites >= MAX_REWRITES:
        return AfterError.RESTART
    return AfterError.REWRITE if error.args[0].code() in _STALE else AfterError.RESTART


class Epochs:
    """Counts by partition how often it has left this replica."""

    def __init__(self) -> None:
        self._left: Counter[Partition] = Counter()

    def leave(self, partitions: Iterable[Partition]) -> None:
        self._left.update(set(partitions))

    def of(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the epochs of partitions, to be compared later by `left`."""
        return {each: self._left[each] for each in partitions}

    def left(self, read: Mapping[Partition, int]) -> set[Partition]:
        """Return the partitions that have left since `read` was returned, even if they are back."""
        return {each for each, epoch in read.items() if self._left[each] != epoch}


def without(messages: Sequence[Message], partitions: Collection[Partition]) -> list[Message]:
    """Return the messages of other partitions."""
    return [message for message in messages if place(message)[:2] not in partitions] if partitions else list(messages)


def gathered(
    held: Sequence[Message], found: Sequence[Message], revoked: Collection[Partition], assigned: Collection[Partition]
) -> list[Message]:
    """Return the messages of a micro-batch after `found` was read, without those that another owner may read.

    `revoked` and `assigned` are the partitions that left and came during the read. The messages of a partition that
    left are read again from its committed offset if it comes back. So all its messages before are dropped.

    Raises:
        PartitionsMovedError: a partition left and came back during this read, so some of its messages may be from
            before, and others from after its committed offset. Only a restart reads from the committed offset again.

    """
    if not revoked:
        return [*held, *found]
    read = {place(message)[:2] for message in found}
    if unclear := set(revoked) & set(assigned) & read:
        raise PartitionsMovedError(unclear)
    return without([*held, *found], revoked)
