"""Reads micro-batches as a member of a consumer group with cooperative rebalances. Only the reading thread uses it.

The callbacks of a rebalance run only inside `consume` and `close`. So a thread that computes for long must not be the
one that reads: `serve` runs the callbacks in the meantime, and pauses the partitions that have been read.
"""

from __future__ import annotations

import time
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicPartition

from rondo.chassis.kafka_records import place, readable
from rondo.chassis.stream.rebalance import Epochs, PartitionsMovedError, gathered, without

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Consumer, Message

    from rondo.chassis.stream.rebalance import Partition

_KEY = methodcaller("key")
_IDLE_SECONDS = 0.5
# The longest time of a poll while the transform may have output that no message causes.
_ACTIVE_SECONDS = 0.02
# The longest time of a poll while a micro-batch is being committed, which may need metadata of the group.
_BUSY_SECONDS = 0.05
# The time of one wait for messages while a commit is in progress.
_COMMIT_LOOK_SECONDS = 0.002
# The length of a slice of the linger time. The bytes of the micro-batch are counted after each slice. Slices by number
# of messages would cost 60 us each, and are not needed: if messages wait, a call returns at most the prefetched ones.
_SLICE_SECONDS = 0.02


class GroupReader:
    """A member of a consumer group.

    `moved` is called with partitions that may have, or have had, another owner. `release` is called before partitions
    are released. It returns when nothing that was read from them is being committed. `served` is called after each call
    of the consumer.
    """

    def __init__(
        self,
        linger: float,
        max_bytes: int,
        moved: Callable[[set[Partition]], object],
        release: Callable[[], object] = lambda: None,
        served: Callable[[], object] = lambda: None,
    ) -> None:
        self._linger, self.max_bytes = linger, max_bytes
        self._moved, self._release, self._served = moved, release, served
        self._consumer: Any = None
        self._epochs = Epochs()
        # The messages of the next micro-batch.
        self._held: list[Message] = []
        self._revoked: set[Partition] = set()
        self._assigned: set[Partition] = set()
        # The partitions that are paused since `serve` was called. None if it was not.
        self._paused: set[Partition] | None = None
        self.last_gathered = 0.0
        self.joined = False

    def start(self, consumer: Consumer, topics: Sequence[str]) -> None:
        """Join the group with a new consumer."""
        self._consumer, self._held, self._paused = consumer, [], None
        consumer.subscribe(list(topics), self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_lost)

    def gather(self, size: int, *, idle: Callable[[], bool], active: bool = False) -> list[Message]:
        """Read a micro-batch: wait for the first message, then take messages that arrive within the linger time.

        While the previous micro-batch is being committed, so that `idle` returns False, and there is room, further
        messages are taken. A micro-batch that is complete earlier would only wait for that commit, and later messages
        would wait for the next one. An `active` transform is not kept waiting for messages.

        Raises:
            KafkaException: the consumer has failed.
            PartitionsMovedError: the committed offset of a partition has to be read again.

        """
        if len(self._held) >= size:
            self.serve()  # messages that were put back may suffice for minutes
        else:
            self._resume()
        if not self._held:
            self._consume(1, _ACTIVE_SECONDS if active else _IDLE_SECONDS if idle() else _BUSY_SECONDS)
        if self._held:
            until = self.last_gathered + self._linger
            content, lingers = 0, True
            more: Sequence[Message] = self._held
            while len(self._held) < size and (lingers or not idle()):
                content += _bytes(more)  # not for messages that complete it: 4,000 keys take half a millisecond
                if content >= self.max_bytes:
                    break
                left = max(until - time.monotonic(), 0.0)
                wait = min(left, _SLICE_SECONDS) if lingers else _COMMIT_LOOK_SECONDS
                more = self._consume(size - len(self._held), wait)
                lingers = lingers and left > wait
            self.last_gathered = time.monotonic()
        messages, self._held = self._held[:size], self._held[size:]
        return messages

    def metadata(self) -> Any:
        """Return the metadata of the group. None if this consumer is no member, which the broker would not check.

        The order matters: a member that is lost between the two calls is none.
        """
        group = self._consumer.consumer_group_metadata()
        return group if self._consumer.memberid() else None

    def epochs(self, partitions: set[Partition]) -> dict[Partition, int]:
        """Return the epochs of partitions for `left`."""
        return self._epochs.of(partitions)

    def left(self, epochs: Mapping[Partition, int]) -> set[Partition]:
        """Return the partitions that have left this replica since these epochs, even if they are back."""
        return self._epochs.left(epochs)

    def serve(self) -> None:
        """Run the callbacks of a rebalance, and read at most one message.

        Partitions are paused once, until `gather` reads again. A pause right after an assignment can outdate the start
        of its fetch. Then the partition is silent until it is assigned again (librdkafka 2190 and 5591). So partitions
        without a message so far are not paused, and neither are those that come meanwhile.
        """
        if self._paused is None:
            read = [each for each in self._consumer.position(self._consumer.assignment()) if each.offset >= 0]
            self._paused = _named(read)
            self._consumer.pause(read)
        self._consume(1, 0)

    def put_back(self, messages: Sequence[Message], epochs: Mapping[Partition, int]) -> None:
        """Take messages of a micro-batch that was dropped again, except those of partitions that have left since."""
        self._held = [*without(messages, self.left(epochs)), *self._held]

    def on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.joined = True
        new = _named(partitions)
        self._assigned |= new
        self._moved(new)

    def on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Release partitions, which are ours until this returns."""
        if partitions:
            self._release()
        self.on_lost(_, partitions)

    def on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        left = _named(partitions)
        if self._paused and (paused := self._paused & left):
            # librdkafka keeps the pause of a partition, which may come back.
            self._consumer.resume([TopicPartition(*each) for each in sorted(paused)])
            self._paused -= paused
        self._epochs.leave(left)
        self._revoked |= left
        self._moved(left)

    def _consume(self, count: int, seconds: float) -> list[Message]:
        self._revoked.clear()
        self._assigned.clear()
        found = readable(self._consumer.consume(count, seconds))
        self._held = gathered(self._held, found, self._revoked, self._assigned)
        self._served()
        return found

    def _resume(self) -> None:
        if self._paused:
            self._consumer.resume([TopicPartition(*each) for each in sorted(self._paused)])
        self._paused = None


def require_member(group: Any, messages: Sequence[Message]) -> None:
    """Raise PartitionsMovedError if the reader of these messages is no member of its group any more.

    The broker would not fence a commit without the metadata of a member. Only another call of `consume` makes the
    consumer join again.
    """
    if group is None and messages:
        raise PartitionsMovedError({place(message)[:2] for message in messages})


def _named(partitions: list[TopicPartition]) -> set[Partition]:
    return {(partition.topic, partition.partition) for partition in partitions}


def _bytes(messages: Sequence[Message]) -> int:
    """Return the size of the values and keys."""
    return sum(map(len, messages)) + sum(map(len, filter(None, map(_KEY, messages))))
