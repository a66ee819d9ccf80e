"""The offsets that a stream commits, each with a note of the transform: a text in the metadata of the offset.

A commit replaces the metadata, so each commit of a partition repeats its note, even if the note has not changed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from confluent_kafka import Consumer

    from rondo.chassis.stream.transform import Notes

    Partition = tuple[str, int]

_ANSWER_SECONDS = 10.0
# The timeout for partitions without messages. An open transaction of their last owner may delay the answer, which must
# not delay other partitions.
_IDLE_ANSWER_SECONDS = 0.25
_LOOK_SECONDS = 1.0


class OffsetsWithMetadata:
    """The next offset of each partition, with its note. Only the reading thread uses it."""

    def __init__(self, notes: Notes | None) -> None:
        self._notes = notes
        self._known: dict[Partition, tuple[int, str]] = {}
        self._looked = 0.0
        self._owed = False

    def forget(self) -> None:
        """Forget all partitions, because the transform has forgotten its notes."""
        self._known.clear()
        self._owed = True

    def leave(self, partitions: Collection[Partition]) -> None:
        """Forget partitions that have, or have had, another owner."""
        for each in partitions:
            self._known.pop(each, None)

    @property
    def partitions(self) -> Collection[Partition]:
        """The partitions whose notes the transform has."""
        return self._known.keys()

    def restore(self, consumer: Consumer, read: Collection[Partition]) -> None:
        """Give the transform the committed notes of new partitions, before the messages that were `read` from them.

        Raises:
            KafkaException: Kafka does not return the committed offsets of the partitions of these messages.

        """
        if self._notes is None:
            return
        # Kafka returned the offset of a partition before its messages, so the transactions on it have ended.
        if new := set(read) - self._known.keys():
            self._restore(consumer, new, _ANSWER_SECONDS)
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        assigned = [(each.topic, each.partition) for each in consumer.assignment()]
        if self._owed and not assigned:
            # A replica without partitions receives no message, so this call tells the transform that it has no notes.
            self._owed = False
            self._notes.restore({})
        for each in assigned:
            if each not in self._known and _is_read(consumer, each):
                try:
                    self._restore(consumer, {each}, _IDLE_ANSWER_SECONDS)
                except KafkaException:
                    return  # it is requested again later, and needed only once messages arrive

    def after(self, offsets: list[TopicPartition], changed: Mapping[Partition, str]) -> list[TopicPartition]:
        """Return the offsets to commit: these, after the messages of a micro-batch, and those with a changed note."""
        if self._notes is None:
            return offsets
        for each in offsets:
            _, note = self._known.get((each.topic, each.partition), (-1, ""))
            self._known[each.topic, each.partition] = each.offset, note
        for partition, note in changed.items():
            self._known[partition] = self._known[partition][0], note
        all_of = {(each.topic, each.partition) for each in offsets} | changed.keys()
        known = [(partition, *self._known[partition]) for partition in sorted(all_of)]
        return [TopicPartition(*partition, offset, note) for partition, offset, note in known]

    def _restore(self, consumer: Consumer, new: Collection[Partition], seconds: float) -> None:
        asked = [TopicPartition(*each) for each in sorted(new)]
        found: dict[Partition, tuple[int, str]] = {}
        for each in consumer.committed(asked, timeout=seconds):
            if each.error is not None:
                raise KafkaException(each.error)
            found[each.topic, each.partition] = max(each.offset, -1), each.metadata or ""
        self._known |= found
        self._owed = False
        assert self._notes is not None  # noqa: S101 - the caller has looked
        self._notes.restore(found)


def _is_read(consumer: Consumer, partition: Partition) -> bool:
    """Return whether Kafka has answered a fetch of a partition, which follows the request of its committed offset."""
    watermarks = consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
    return watermarks is not None and watermarks[1] >= 0
