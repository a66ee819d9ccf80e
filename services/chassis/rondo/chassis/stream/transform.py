"""The ports of an exactly-once stream: the transform of a micro-batch, and its output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records


@dataclass(frozen=True, slots=True)
class Output:
    """The records of one micro-batch, and the changed notes by topic and partition.

    Each record comes from partitions of the messages, or from partitions with a note. Only the offsets and notes of
    these partitions fence the records, and the stream drops an output if one of these partitions has left.

    `committed` is called once they are visible to readers, or `aborted` once they can no longer become visible. Both
    may be called on another thread than the transform.
    """

    records: Sequence[Record | Records]
    committed: Callable[[], None] = lambda: None
    aborted: Callable[[], None] = lambda: None
    notes: Mapping[tuple[str, int], str] = field(default_factory=dict)


class Transform(Protocol):
    """Computes the output of a micro-batch. The previous output may not be committed yet.

    It must not fail on an invalid message. Its output may depend on the messages, which are read again after a failure,
    on committed output, and on the previous output. If the previous micro-batch is aborted, so is this one.
    """

    def __call__(self, messages: Sequence[Message], /) -> Output:
        """Return the records to write for these messages."""
        ...


class Notes(Protocol):
    """A transform that stores a text with the offset of each partition, in the same transaction.

    The text is the metadata of a committed offset, which the next owner of the partition receives. Kafka accepts 4,096
    bytes.
    """

    def restore(self, notes: Mapping[tuple[str, int], tuple[int, str]], /) -> None:
        """Restore committed offsets and texts of partitions before their first messages. -1 if none is committed."""
        ...

    @property
    def active(self) -> bool:
        """True if the transform has to be called without messages, too, because it may have other output."""
        ...
