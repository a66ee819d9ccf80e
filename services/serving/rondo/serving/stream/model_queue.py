"""The queue of one model: its requests in partitions where the stream has read past them.

The requests stay on the topic. The queue reads the partitions again, from its own position in each, and selects the
requests to its model.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from rondo.chassis.dead_letters import MAX_KEY_BYTES
from rondo.chassis.kafka_records import place
from rondo.chassis.stream.poison_pill import PoisonPillTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka import Message

# The number of messages of all models that are read at a time, and of requests to the model that are held.
_READ = 4_000
_HELD, _HELD_BYTES = 2_000, 16 << 20


class _Request(msgspec.Struct):
    model: str


_DECODE = msgspec.json.Decoder(_Request).decode


def model_of(message: Message) -> str | None:
    """Return the model that a message names, from its bytes alone. The result does not depend on the served models.

    Return None if there is none, or if the stream refuses the message for every model.
    """
    value, key = message.value(), message.key()
    if value is None or (key is not None and len(key) > MAX_KEY_BYTES):
        return None
    try:
        return _DECODE(value).model
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


class Requests(Protocol):
    """Reads partitions of the requests. Raises KafkaException."""

    def assign(self, offsets: Mapping[int, int], /) -> None:
        """Read exactly these partitions, each from its offset on."""
        ...

    def read(self, most: int, /) -> Sequence[Message]:
        """Return at most `most` messages that have been read, without waiting."""
        ...

    def close(self) -> None: ...


@dataclass
class Run:
    """Requests that are being answered. `chunk` is the state of the object that answers them.

    If the result is not used, `dropped` must be called when the inference has ended.
    """

    messages: Sequence[Message]
    chunk: Any
    inference: Future[Any]
    dropped: Callable[[Future[Any]], None]


@dataclass
class ModelQueue:
    """The queue of one model. `positions` has the offset of the first request that is not answered, by partition."""

    model: str
    requests: Requests
    positions: dict[int, int] = field(default_factory=dict)
    running: Run | None = None
    # The number of consecutive failures, and the time on the monotonic clock before which the queue does not try again.
    attempts: int = 0
    retry_at: float = 0.0
    poison: PoisonPillTracker = field(default_factory=PoisonPillTracker)
    _read: dict[int, int] = field(default_factory=dict)
    _held: deque[Message] = field(default_factory=deque)

    def add(self, positions: Mapping[int, int]) -> None:
        """Add the requests in further partitions, from these offsets on."""
        self.positions |= positions
        self._read |= positions
        self.requests.assign(self._read)

    def read(self) -> None:
        """Hold the requests to the model that have been read."""
        if len(self._held) >= _HELD or sum(len(message.value() or b"") for message in self._held) >= _HELD_BYTES:
            return
        for message in self.requests.read(_READ):
            _, partition, offset = place(message)
            # Other messages belong to the last assignment.
            if partition in self._read and offset >= self._read[partition]:
                self._read[partition] = offset + 1
                if model_of(message) == self.model:
                    self._held.append(message)

    def take(self, most: int, ends: Mapping[int, int], pending: Collection[int] = ()) -> list[Message]:
        """Return the first requests that the stream has read past, which are below the `ends` of their partitions.

        Requests in `pending` partitions stay in the queue.
        """
        taken: list[Message] = []
        left: deque[Message] = deque()
        for message in self._held:
            _, partition, offset = place(message)
            if len(taken) < most and offset < ends[partition] and partition not in pending:
                taken.append(message)
            else:
                left.append(message)
        self._held = left
        return taken

    def put_back(self, messages: Sequence[Message]) -> None:
        """Hold these requests, which were taken before, in front of all others."""
        self._held.extendleft(reversed(messages))

    def advance(self, ends: Mapping[int, int]) -> set[int]:
        """Move the positions past answered requests if no run is active. Return the partitions whose position moved."""
        first: dict[int, int] = {}
        for message in self._held:
            _, partition, offset = place(message)
            first.setdefault(partition, offset)
        before = dict(self.positions)
        for partition in before:
            self.positions[partition] = min(first.get(partition, self._read[partition]), ends[partition])
        return {partition for partition, offset in before.items() if self.positions[partition] != offset}

    def caught_up(self, ends: Mapping[int, int]) -> set[int]:
        """Return the partitions in which all requests that the stream has read past are answered."""
        return {partition for partition, offset in self.positions.items() if offset >= ends[partition]}

    def leave(self, partitions: set[int]) -> None:
        """Leave partitions to the stream, which continues where the queue has caught up."""
        for each in partitions:
            del self.positions[each], self._read[each]
        self._held = deque(message for message in self._held if message.partition() not in partitions)
        if self._read:
            self.requests.assign(self._read)

    def oldest(self) -> float | None:
        """Return the timestamp in seconds of the first request that is read and not answered."""
        messages = [*(self.running.messages if self.running else ()), *self._held]
        return min((message.timestamp()[1] / 1000 for message in messages), default=None)
