"""Messages wait, in their order, until the spec of the model and the profile of the version are known.

Both come over the control plane before a version serves; only a monitor that catches up may read the log earlier. It
then counts nothing wrong and nothing in another order: it waits. What waits is saved with the rest, and bounded.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from rondo.monitor import intake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.monitor.intake import Predictions
    from rondo.monitor.reference import Reference
    from rondo.monitor.watch import Watch

log = logging.getLogger(__name__)
MAX_HELD_BYTES = 64 * 1024 * 1024


class Waiting:
    """A model's watch and the messages that it could not take in yet."""

    def __init__(self, watch: Watch, held: Sequence[bytes]) -> None:
        self.watch = watch
        self.sought: set[str] = set()
        self._held: deque[tuple[bytes, Predictions]] = deque((value, intake.read_predictions(value)) for value in held)
        self.held_bytes = sum(len(value) for value in held)

    @property
    def held(self) -> list[bytes]:
        """The messages that wait, as they came."""
        return [value for value, _ in self._held]

    def hold(self, value: bytes, predictions: Predictions) -> None:
        """Put a message at the end; beyond the bound the oldest goes, and is counted."""
        self._held.append((value, predictions))
        self.held_bytes += len(value)
        while self.held_bytes > MAX_HELD_BYTES:
            oldest, gone = self._held.popleft()
            self.held_bytes -= len(oldest)
            self.watch.counted["dropped"] += gone.rows.num_rows
            log.warning(
                "%s version %d: %d rows waited too long for a profile or spec and count in no window; "
                "train the model anew, or apply its spec again", gone.model, gone.version, gone.rows.num_rows,
            )  # fmt: skip

    def missing(self, references: Mapping[str, Reference]) -> set[str]:
        """Return the profiles that are asked for the first time: of what waits, and of the champion."""
        wanted = {each.digest for _, each in self._held}
        if self.watch.champion:
            wanted.add(self.watch.champion.digest)
        new = wanted - references.keys() - self.sought
        self.sought |= new
        return new

    def count(self, references: Mapping[str, Reference]) -> int:
        """Count all that can be; returns the rows."""
        if self.watch.tumbling is None:
            return 0
        ready: list[Predictions] = []
        while self._held and self._held[0][1].digest in references:
            value, predictions = self._held.popleft()
            self.held_bytes -= len(value)
            ready.append(predictions)
        for each in intake.joined(ready):
            self.watch.take_predictions(each.rows, each.version, references[each.digest])
        return sum(each.rows.num_rows for each in ready)
