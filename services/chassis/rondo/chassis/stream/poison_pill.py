"""Decides which message of a stream becomes a dead letter, from failures and offsets alone.

A micro-batch that fails twice is isolated: its messages are read again one by one. A message that fails alone twice
becomes a dead letter. A transform that fails on everything is a bad release, not a bad message, and must not write the
whole topic to the dead letters: after some in a row the tracker trips, and messages wait until one passes or for a
better release.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[str, int, int]
TRIES = 2
MAX_CONSECUTIVE = 10


@dataclass
class PoisonPillTracker:
    """Call `failed` or `passed` with the places of each micro-batch's messages."""

    _failures: int = 0
    _isolating: int = 0
    _alone: dict[Place, int] = field(default_factory=dict)
    _consecutive: int = 0

    def batch_size(self, max_records: int) -> int:
        """Return the maximum size of the next micro-batch."""
        return 1 if self._isolating else max_records

    def attempts_if_poison(self, places: Sequence[Place]) -> int:
        """Return how often the only message of a micro-batch failed alone, if it is to become a dead letter; else 0."""
        failures = self._alone.get(places[0], 0) if len(places) == 1 and not self.tripped else 0
        return failures if failures >= TRIES else 0

    def failed(self, places: Sequence[Place]) -> None:
        """Note that a micro-batch failed because of its content, not because Kafka was unavailable."""
        self._failures += 1
        if len(places) == 1:
            self._alone[places[0]] = self._alone.get(places[0], 0) + 1
        if self._failures >= TRIES:
            self._isolating = max(self._isolating, len(places))

    def passed(self, places: Sequence[Place]) -> None:
        """Note that a micro-batch was committed, its dead letter included."""
        dead_lettered = bool(self.attempts_if_poison(places))
        self._consecutive = self._consecutive + 1 if dead_lettered else 0
        self._failures, self._isolating = 0, max(self._isolating - len(places), 0)
        for each in places:
            self._alone.pop(each, None)

    @property
    def tripped(self) -> bool:
        """Whether so many messages in a row became dead letters that the transform must be at fault."""
        return self._consecutive >= MAX_CONSECUTIVE
