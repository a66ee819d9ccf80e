"""Decides which message of a stream becomes a dead letter, only from failures and offsets.

A micro-batch that fails twice is isolated: its messages are read again one by one. A message that fails alone twice
becomes a dead letter. If a transform fails on every message, the cause is the release and not the messages, and the
whole topic must not become dead letters. After several dead letters in a row the tracker trips, and messages wait until
one succeeds or another release is deployed. Failures during that time do not count, so the messages are tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Place = tuple[str, int, int]
TRIES = 2
MAX_CONSECUTIVE = 10


def caused_by_content(error: BaseException) -> bool:
    """Return whether messages failed because of their content, so that they would fail again."""
    if isinstance(error, KafkaException):
        return bool(error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE)
    return isinstance(error, Exception) and not isinstance(error, UnavailableError)


class Failure(NamedTuple):
    """The number of times that a message failed alone, and its last error."""

    attempts: int
    error: BaseException


@dataclass
class PoisonPillTracker:
    """A tracker of failures. Call `failed` or `passed` with the places of each micro-batch's messages."""

    _failures: int = 0
    _isolating: int = 0
    _alone: dict[Place, Failure] = field(default_factory=dict)
    _consecutive: int = 0

    def batch_size(self, max_records: int) -> int:
        """Return the maximum size of the next micro-batch."""
        return 1 if self._isolating else max_records

    def poison(self, places: Sequence[Place]) -> Failure | None:
        """Return the failure of a micro-batch's only message if the message has to become a dead letter."""
        if len(places) != 1 or self.tripped:
            return None
        failure = self._alone.get(places[0])
        return failure if failure is not None and failure.attempts >= TRIES else None

    def failed(self, places: Sequence[Place], error: BaseException) -> None:
        """Record that a micro-batch failed because of its content, not because Kafka was unavailable."""
        self._failures += 1
        if len(places) == 1:
            before = self._alone.get(places[0])
            self._alone[places[0]] = Failure(before.attempts + 1 if before else 1, error)
        if self._failures >= TRIES:
            self._isolating = max(self._isolating, len(places))

    def passed(self, places: Sequence[Place]) -> None:
        """Record that a micro-batch was committed, possibly with a dead letter."""
        dead_lettered = self.poison(places) is not None
        if self.tripped:
            self._alone.clear()
        self._consecutive = self._consecutive + 1 if dead_lettered else 0
        self._failures, self._isolating = 0, max(self._isolating - len(places), 0)
        for each in places:
            self._alone.pop(each, None)

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        """Forget failures of messages of other partitions, which their new owner handles."""
        self._alone = {each: failure for each, failure in self._alone.items() if each[:2] in partitions}

    @property
    def clean(self) -> bool:
        """True if nothing has failed since the last success, so that a success changes nothing."""
        return not (self._failures or self._isolating or self._alone or self._consecutive)

    @property
    def tripped(self) -> bool:
        """True if so many consecutive messages became dead letters that the transform must be the cause."""
        return self._consecutive >= MAX_CONSECUTIVE
