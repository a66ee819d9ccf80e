"""Which message makes a transform fail, and when it is given up: a decision over places and failures alone.

A micro-batch that fails twice is taken apart: its messages come again one by one. One that fails alone as often is
given up, and the others go their way. A transform that fails on everything is no matter of a message, but of a bad
release, and dead-lettering the whole topic would be the worst answer: after some given up in a row no more are, and the
messages wait until one of them passes, or for a better release.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[str, int, int]
TRIES = 2
MAX_GIVEN_UP_IN_A_ROW = 10


@dataclass
class Isolation:
    """`failed` and `passed` tell it what became of each micro-batch, by the places of its messages."""

    _failures: int = 0
    _apart: int = 0
    _alone: dict[Place, int] = field(default_factory=dict)
    _given_up_in_a_row: int = 0

    def most(self, max_records: int) -> int:
        """Return how many messages the next micro-batch may have."""
        return 1 if self._apart else max_records

    def gives_up(self, places: Sequence[Place]) -> int:
        """Return how often the only message of a micro-batch has failed alone if that is enough, else 0."""
        failures = self._alone.get(places[0], 0) if len(places) == 1 and not self.hopeless else 0
        return failures if failures >= TRIES else 0

    def failed(self, places: Sequence[Place]) -> None:
        """Hear that a micro-batch failed for a reason of its own: not because Kafka was away."""
        self._failures += 1
        if len(places) == 1:
            self._alone[places[0]] = self._alone.get(places[0], 0) + 1
        if self._failures >= TRIES:
            self._apart = max(self._apart, len(places))

    def passed(self, places: Sequence[Place]) -> None:
        """Hear that a micro-batch was committed; whether its message was given up is known from before."""
        given_up = bool(self.gives_up(places))
        self._given_up_in_a_row = self._given_up_in_a_row + 1 if given_up else 0
        self._failures, self._apart = 0, max(self._apart - len(places), 0)
        for each in places:
            self._alone.pop(each, None)

    @property
    def hopeless(self) -> bool:
        """Whether so many were given up in a row that it can't be the messages."""
        return self._given_up_in_a_row >= MAX_GIVEN_UP_IN_A_ROW
