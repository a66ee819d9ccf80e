"""What an exactly-once stream computes: the output of one micro-batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records


@dataclass(frozen=True, slots=True)
class Output:
    """The records of one micro-batch, and the notes that change, by topic and partition.

    Either `committed` is called when they are visible to readers, or `aborted` when they will never be. Both may be
    called on another thread than the transform.
    """

    records: Sequence[Record | Records]
    committed: Callable[[], None] = lambda: None
    aborted: Callable[[], None] = lambda: None
    notes: Mapping[tuple[str, int], str] = field(default_factory=dict)


class Transform(Protocol):
    """Computes the output of a micro-batch, while that of the one before may not be committed yet.

    It must not fail on a bad message. Its output may depend on the messages, which are read again after a failure, and
    on what was written before: what is committed, and the micro-batch before. If that one aborts, so does this one.
    """

    def __call__(self, messages: Sequence[Message], /) -> Output:
        """Return the records to write for these messages."""
        ...


class Notes(Protocol):
    """A transform that keeps a text with the offset of each partition, in the same transaction.

    It is the metadata of a committed offset: the next owner of the partition gets it. Kafka takes 4,096 bytes.
    """

    def restore(self, notes: Mapping[tuple[str, int], tuple[int, str]], /) -> None:
        """Take the committed offsets and texts of partitions, before their first messages. -1 if none is committed."""
        ...

    @property
    def active(self) -> bool:
        """Whether the transform is to be called without messages, too: it may have output of its own."""
        ...
