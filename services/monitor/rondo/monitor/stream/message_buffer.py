"""Buffers prediction messages, in order, until the model's spec and the version's profile are known.

Both arrive over the control plane before a version serves. Only a monitor that processes a backlog may read the log
earlier. The buffer is part of the checkpoint. Its size in bytes is bounded, and the oldest messages are evicted. A
version whose profile does not arrive within a timeout is skipped, so that it does not block the versions behind it.
Canaries and shadows block no other messages, because nothing about the champion depends on them.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import RouteRole
from rondo.monitor.stream import log_messages

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from rondo.monitor.stream.log_messages import Predictions

log = logging.getLogger(__name__)
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class BufferedMessage:
    """A message that was received at `received_at` of the monitor's clock.

    `row` numbers messages in order of arrival.
    """

    row: int
    value: bytes
    predictions: Predictions
    received_at: float


@dataclass
class MessageBuffer:
    """A FIFO queue of one model's messages. `size` is the sum of their bytes."""

    max_bytes: int = MAX_BYTES
    messages: deque[BufferedMessage] = field(default_factory=deque)
    size: int = 0
    next_row: int = 0
    _skipped: set[str] = field(default_factory=set)
    _evicted: set[int] = field(default_factory=set)

    def restore(self, rows: Sequence[int], values: Sequence[bytes], next_row: int, now: float) -> None:
        """Replace the content by that of a checkpoint. Its messages count as received at `now`."""
        self.clear()
        self.next_row = next_row
        for row, value in zip(rows, values, strict=True):
            self._append(BufferedMessage(row, value, log_messages.read_predictions(value), now))

    def clear(self) -> None:
        """Discard all messages. Row numbers continue, because a checkpoint still has the messages before."""
        self.messages.clear()
        self.size = 0

    def push(self, value: bytes, predictions: Predictions, now: float) -> list[Predictions]:
        """Append a message. Returns the messages that were evicted to stay within `max_bytes`."""
        self._append(BufferedMessage(self.next_row, value, predictions, now))
        self.next_row += 1
        evicted = []
        while self.size > self.max_bytes:
            evicted.append(self._pop())
            self._log_eviction(evicted[-1])
        return evicted

    def pop_ready(self, profiled: Container[str], timed_out: float) -> list[Predictions]:
        """Take messages in order: the primary's up to the first without a known profile, and the others that have one.

        A version without a known profile is taken, too, if its first message was received at or before `timed_out`.
        """
        ready: list[Predictions] = []
        waiting: deque[BufferedMessage] = deque()
        primary_waits = False
        for message in self.messages:
            is_primary = _is_primary(message)
            if is_primary and primary_waits:
                waiting.append(message)
            elif message.predictions.digest in profiled or self._skips(message, timed_out):
                ready.append(message.predictions)
                self.size -= len(message.value)
            else:
                waiting.append(message)
                primary_waits |= is_primary
        self.messages = waiting
        return ready

    @property
    def primary_waits(self) -> bool:
        """True if there is a message of the primary."""
        return any(map(_is_primary, self.messages))

    def _skips(self, first: BufferedMessage, timed_out: float) -> bool:
        batch = first.predictions
        if batch.digest not in self._skipped and first.received_at <= timed_out:
            self._skipped.add(batch.digest)
            log.warning(
                "%s version %d: no profile of %s arrived in time, so its rows count in no window; retrain the model "
                "and promote the new version", batch.model, batch.version, batch.digest,
            )  # fmt: skip
        return batch.digest in self._skipped

    def _log_eviction(self, evicted: Predictions) -> None:
        if evicted.version in self._evicted:
            return
        self._evicted.add(evicted.version)
        log.warning(
            "%s version %d: the buffer of rows without a profile or spec is full, so the oldest rows count in no "
            "window; apply the model's spec again, or retrain the model", evicted.model, evicted.version,
        )  # fmt: skip

    def _append(self, message: BufferedMessage) -> None:
        self.messages.append(message)
        self.size += len(message.value)

    def _pop(self) -> Predictions:
        first = self.messages.popleft()
        self.size -= len(first.value)
        return first.predictions


def _is_primary(message: BufferedMessage) -> bool:
    return message.predictions.role == RouteRole.PRIMARY
