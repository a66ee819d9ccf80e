"""The steps of one key, as rows arrive in any order: the rule of `rondo.chassis.features.steps` for one lookup."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Values = TypeVar("Values")


@dataclass(frozen=True)
class Step(Generic[Values]):
    """A row that is the value of its key from `available_at` on, until the next step. Times are in microseconds."""

    event_time: int
    known_at: int
    publication: int
    values: Values

    @property
    def available_at(self) -> int:
        """The later of both times."""
        return max(self.event_time, self.known_at)

    @property
    def rank(self) -> tuple[int, int, int]:
        """The order of rows that are available. The one with the highest rank is the value.

        Of rows with one event time, those with a later `known_at` are not available earlier.
        """
        return (self.event_time, self.known_at, self.publication)


@dataclass
class KeyHistory(Generic[Values]):
    """The steps of a key, in order of `available_at`. Their ranks rise with it, because other rows are dropped.

    A row that is added again with the same times and the same publication changes nothing.
    """

    steps: list[Step[Values]] = field(default_factory=list)

    def add(self, event_time: int, known_at: int, publication: int, values: Values) -> None:
        """Add a row. It may be known before its event time, as a forecast is."""
        step = Step(event_time, known_at, publication, values)
        available_at = step.available_at
        place = self._after(available_at)
        if place and self.steps[place - 1].rank >= step.rank:
            return
        # The step before is replaced if it becomes available at the same time.
        first = place - 1 if place and self.steps[place - 1].available_at == available_at else place
        end = place
        while end < len(self.steps) and self.steps[end].rank < step.rank:
            end += 1
        self.steps[first:end] = [step]

    def at(self, time: int, max_age: int | None = None) -> Values | None:
        """Return the values of the step at a time. None if no row is available, or if it is older than `max_age`."""
        place = self._after(time)
        if not place:
            return None
        step = self.steps[place - 1]
        return step.values if max_age is None or time - step.event_time <= max_age else None

    def drop_before(self, time: int) -> None:
        """Drop the steps that no lookup from `time` on can find."""
        del self.steps[: max(self._after(time) - 1, 0)]

    def _after(self, time: int) -> int:
        """Return the number of steps that are available at a time."""
        return bisect_right(self.steps, time, key=lambda step: step.available_at)
