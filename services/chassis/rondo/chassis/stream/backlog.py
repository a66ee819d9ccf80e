"""What a follower finds when it begins: tells once all of it has been read.

A partition is read when a message at its end came, or when the consumer says that there is no more: behind the last
message of a transaction lies its marker, which no reader sees, and a stream that goes on is never without more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message


class Backlog:
    """The `ends` of the partitions that are still to be read, by (topic, partition); `done` is called once."""

    def __init__(self, ends: Mapping[tuple[str, int], int], done: Callable[[], None]) -> None:
        self._unread = dict(ends)
        self._done: Callable[[], None] | None = done

    def read(self, messages: Sequence[Message]) -> None:
        """Take note of what `consume` brought: messages, and that partitions ended (`enable.partition.eof`)."""
        if self._done is None:
            return
        for message in messages:
            self._read(message)
        if not self._unread:
            self._done()
            self._done = None

    def _read(self, message: Message) -> None:
        topic, partition, offset, error = message.topic(), message.partition(), message.offset(), message.error()
        if topic is None or partition is None or offset is None:
            return  # an error of no partition
        ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name
        if ended or (error is None and offset + 1 >= self._unread.get((topic, partition), offset)):
            self._unread.pop((topic, partition), None)
