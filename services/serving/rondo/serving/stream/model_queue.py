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

# A queue holds at most about this many requests, and this many bytes of them.
_HELD, _HELD_BYTES = 2_000, 4 << 20


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
    """Reads partitions of the requests."""

    def assign(self, offsets: Mapping[int, int], /) -> None:
        """Read exactly these partitions, each from its offset on."""
        ...

    def read(self, most: int, /) -> Sequence[Message]:
        """Return at most `most` messages that have been read, without waiting.

        Raises:
            UnavailableError: the reader has failed. Messages may be missing, so another one has to take its place.

        """
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
class _Partition:
    """The held requests of one partition. `read` is the offset after the last message that was read.

    `read_at` is the timestamp of that message in milliseconds. A `paused` partition is not read.
    """

    read: int
    held: deque[Message] = field(default_factory=deque)
    held_bytes: int = 0
    read_at: int | None = None
    paused: bool = False

    def hold(self, message: Message) -> None:
        self.held.append(message)
        self.held_bytes += len(message.value() or b"")

    def release(self) -> Message:
        message = self.held.popleft()
        self.held_bytes -= len(message.value() or b"")
        return message

    def exceeds(self, share: float) -> bool:
        """Return whether more than this share of what a queue may hold is in this partition."""
        return len(self.held) >= _HELD * share or self.held_bytes >= _HELD_BYTES * share


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
    # The same for its reader.
    failed_reads: int = 0
    retry_read_at: float = 0.0
    poison: PoisonPillTracker = field(default_factory=PoisonPillTracker)
    _partitions: dict[int, _Partition] = field(default_factory=dict)

    def add(self, positions: Mapping[int, int]) -> None:
        """Add the requests in further partitions, from these offsets on."""
        self.positions |= positions
        self._partitions |= {partition: _Partition(offset) for partition, offset in positions.items()}
        self._assign()

    def read(self, most: int) -> None:
        """Hold the requests to the model among at most `most` messages that have been read.

        Raises:
            UnavailableError: the reader has failed. Call `reopen` before the next read.

        """
        self._pause()
        if all(each.paused for each in self._partitions.values()):
            return
        if messages := self.requests.read(most):
            self.failed_reads = 0
        for message in messages:
            _, partition, offset = place(message)
            mine = self._partitions.get(partition)
            # Other messages belong to the last assignment.
            if mine is not None and not mine.paused and offset >= mine.read:
                mine.read, mine.read_at = offset + 1, message.timestamp()[1]
                if model_of(message) == self.model:
                    mine.hold(message)

    def reopen(self, requests: Requests) -> None:
        """Read on with another reader, after the last message that was read."""
        self.requests.close()
        self.requests = requests
        self._assign()

    def take(self, most: int, ends: Mapping[int, int], pending: Collection[int] = ()) -> list[Message]:
        """Return the first requests that the stream has read past, which are below the `ends` of their partitions.

        Requests in `pending` partitions stay in the queue. The partition whose first request is the oldest comes first.
        """
        taken: list[Message] = []
        ready = [number for number, each in self._partitions.items() if each.held and number not in pending]
        for number in sorted(ready, key=lambda number: self._partitions[number].held[0].timestamp()[1]):
            mine = self._partitions[number]
            while mine.held and len(taken) < most and place(mine.held[0])[2] < ends[number]:
                taken.append(mine.release())
        return taken

    def put_back(self, messages: Sequence[Message]) -> None:
        """Hold these requests, which were taken before, in front of all others."""
        for message in reversed(messages):
            mine = self._partitions[place(message)[1]]
            mine.held.appendleft(message)
            mine.held_bytes += len(message.value() or b"")

    def advance(self, ends: Mapping[int, int]) -> set[int]:
        """Move the positions past answered requests if no run is active. Return the partitions whose position moved."""
        before = dict(self.positions)
        for number, mine in self._partitions.items():
            first = place(mine.held[0])[2] if mine.held else mine.read
            self.positions[number] = min(first, ends[number])
        return {partition for partition, offset in before.items() if self.positions[partition] != offset}

    def left(self, ends: Mapping[int, int]) -> int | None:
        """Return the number of requests that the stream has read past. None if some of them are not read yet."""
        if any(each.paused or each.read < ends[number] for number, each in self._partitions.items()):
            return None
        parts = self._partitions.items()
        return sum(place(message)[2] < ends[number] for number, each in parts for message in each.held)

    def caught_up(self, ends: Mapping[int, int]) -> set[int]:
        """Return the partitions in which all requests that the stream has read past are answered."""
        return {partition for partition, offset in self.positions.items() if offset >= ends[partition]}

    def leave(self, partitions: set[int]) -> None:
        """Leave partitions to the stream, which continues where the queue has caught up."""
        for each in partitions:
            del self.positions[each], self._partitions[each]
        if self._partitions:
            self._assign()

    def oldest(self, ends: Mapping[int, int]) -> float | None:
        """Return the timestamp in seconds of the first request that is not answered.

        While the queue still looks for it in a partition, the timestamp is that of the last message before it.
        """
        stamps = [message.timestamp()[1] for message in (self.running.messages if self.running else ())]
        for number, mine in self._partitions.items():
            if mine.held:
                stamps.append(mine.held[0].timestamp()[1])
            elif mine.read_at is not None and mine.read < ends[number]:
                stamps.append(mine.read_at)
        return min(stamps) / 1000 if stamps else None

    def _assign(self) -> None:
        self.requests.assign({number: each.read for number, each in self._partitions.items() if not each.paused})

    def _pause(self) -> None:
        """Pause partitions with more than their share if the queue holds as much as it may, and resume them at half.

        So requests that can't be started yet stop no other partition.
        """
        mine, share = self._partitions.values(), 1 / max(len(self._partitions), 1)
        held, held_bytes = sum(len(each.held) for each in mine), sum(each.held_bytes for each in mine)
        full = held >= _HELD or held_bytes >= _HELD_BYTES
        paused = [(full and each.exceeds(share)) or (each.paused and each.exceeds(share / 2)) for each in mine]
        if paused != [each.paused for each in mine]:
            for each, pause in zip(mine, paused, strict=True):
                each.paused = pause
            self._assign()
