"""What an exactly-once stream computes: the output of one micro-batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records


@dataclass(frozen=True, slots=True)
class Output:
    """The records of one micro-batch.

    Either `committed` is called when they are visible to readers, or `aborted` when they will never be. Both may be
    called on another thread than the transform.
    """

    records: Sequence[Record | Records]
    committed: Callable[[], None] = lambda: None
    aborted: Callable[[], None] = lambda: None


class Transform(Protocol):
    """Computes the output of a micro-batch, while that of the one before may not be committed yet.

    It must not fail on a bad message. Its output may depend on the messages, which are read again after a failure, and
    on what was written before: what is committed, and the micro-batch before. If that one aborts, so does this one.
    """

    def __call__(self, messages: Sequence[Message], /) -> Output:
        """Return the records to write for these messages."""
        ...
