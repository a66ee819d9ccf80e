"""Decides which message a follower skips, only from failures and offsets.

After a failure the saved state is loaded, and the messages are read again one by one, up to those that failed. So the
effects of a message before its failure are undone. A message that fails alone twice is skipped. If there are only
failures, one after the other, the cause is the program and not the messages, so none of them is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[str, int, int]
TRIES = 2
MAX_FAILURES = 20


@dataclass
class FailedMessages:
    """A tracker of failures. Call `failed` or `passed` with the places of the messages of each call of `advance`."""

    # For each partition, the offset up to which messages are read one by one, and the last one processed since then.
    _until: dict[tuple[str, int], int] = field(default_factory=dict)
    _passed: dict[tuple[str, int], int] = field(default_factory=dict)
    _alone: dict[Place, int] = field(default_factory=dict)
    _errors: dict[Place, str] = field(default_factory=dict)
    _skipped: set[Place] = field(default_factory=set)
    _failures: int = 0

    @property
    def clean(self) -> bool:
        """True if nothing has failed since the last progress, so that `passed` changes nothing."""
        return not (self._until or self._failures)

    def batch_size(self, max_records: int) -> int:
        """Return the maximum number of messages to read next."""
        return 1 if self._until else max_records

    def is_skipped(self, places: Sequence[Place]) -> bool:
        """Return whether these are the places of a single message that has to be skipped."""
        return len(places) == 1 and self._alone.get(places[0], 0) >= TRIES

    def is_new_skip(self, place: Place) -> bool:
        """Return whether a message was not skipped before. It may be read again because a later one failed."""
        is_new = place not in self._skipped
        self._skipped.add(place)
        return is_new

    def last_error(self, place: Place) -> str:
        """Return the error of the last attempt at a message alone. Empty if none failed."""
        return self._errors.get(place, "")

    def failed(self, places: Sequence[Place], error: str = "") -> bool:
        """Record a failure and its error. Return whether to read again. If not, the program is the cause."""
        self._failures += 1
        if not places or self._failures > MAX_FAILURES:
            return False
        if len(places) == 1:
            self._alone[places[0]] = self._alone.get(places[0], 0) + 1
            self._errors[places[0]] = error
        for topic, partition, offset in places:
            self._until[topic, partition] = max(offset, self._until.get((topic, partition), offset))
        return True

    def passed(self, places: Sequence[Place]) -> None:
        """Record messages that were processed or skipped."""
        skipped = self.is_skipped(places)
        for topic, partition, offset in places:
            if not skipped and offset > self._passed.get((topic, partition), -1):
                self._passed[topic, partition], self._failures = offset, 0
            if offset >= self._until.get((topic, partition), offset + 1):
                del self._until[topic, partition]
        if self.clean:
            self._passed.clear()
            self._alone.clear()
            self._errors.clear()
            self._skipped.clear()
