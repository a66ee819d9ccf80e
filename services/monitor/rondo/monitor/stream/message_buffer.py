"""Messages wait, in their order, until the spec of the model and the profile of the version are known.

Both come over the control plane before a version serves; only a monitor that catches up may read the log earlier. It
then counts nothing wrong and nothing in another order: it waits. What waits is saved with the rest. It is bounded in
bytes; and a version whose profile does not come is passed over after a while, for those behind it must not wait for
ever.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.state.segments import FRESH, Stored
from rondo.monitor.stream import log_messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.model_state import Watch
    from rondo.monitor.stream.log_messages import Predictions

log = logging.getLogger(__name__)
MAX_HELD_BYTES = 64 * 1024 * 1024


@dataclass
class Held:
    """A message that waits `since` a time of the monitor's clock, and its `place` in the store (see `parts`)."""

    value: bytes
    predictions: Predictions
    since: float
    place: int = FRESH


class Waiting:
    """A model's watch and the messages that it could not take in yet; `stored` is what lies of them in the store."""

    def __init__(self, watch: Watch, max_bytes: int = MAX_HELD_BYTES) -> None:
        self.watch, self._max_bytes = watch, max_bytes
        self.sought: set[str] = set()
        self.held: deque[Held] = deque()
        self.held_bytes, self.stored = 0, Stored()
        self._given_up: set[str] = set()
        self._beyond: set[int] = set()

    def restore(self, values: Sequence[bytes], places: Sequence[int], stored: Stored, now: float) -> None:
        """Take over what was saved."""
        self.stored = stored
        for value, place in zip(values, places, strict=True):
            self._append(Held(value, log_messages.read_predictions(value), now, place))

    def hold(self, value: bytes, predictions: Predictions, now: float) -> None:
        """Put a message at the end; beyond the bound the oldest goes, and is counted."""
        self._append(Held(value, predictions, now))
        while self.held_bytes > self._max_bytes:
            gone = self._pop()
            self.watch.pass_over(gone.rows, gone.version, "dropped")
            self._tell_beyond(gone)

    def missing(self, references: Mapping[str, Reference]) -> set[str]:
        """Return the profiles that are asked for the first time: of what waits, and of the champion."""
        wanted = {each.predictions.digest for each in self.held}
        if self.watch.champion:
            wanted.add(self.watch.champion.digest)
        new = wanted - references.keys() - self.sought
        self.sought |= new
        return new

    def count(self, references: Mapping[str, Reference], overdue: float) -> int:
        """Count all that can be; returns the rows. What came before `overdue` waits for its profile no more."""
        if self.watch.tumbling is None:
            return 0
        ready: list[Predictions] = []
        while self.held and (self.held[0].predictions.digest in references or self._gives_up(self.held[0], overdue)):
            ready.append(self._pop())
        for each in log_messages.joined(ready):
            if reference := references.get(each.digest):
                self.watch.take_predictions(each.rows, each.version, reference)
            else:
                self.watch.pass_over(each.rows, each.version, "unprofiled")
        return sum(each.rows.num_rows for each in ready)

    def _tell_beyond(self, gone: Predictions) -> None:
        if gone.version in self._beyond:
            return
        self._beyond.add(gone.version)
        log.warning(
            "%s version %d: more rows wait for a profile or spec than there is room for, so the oldest count in no "
            "window; train the model anew, or apply its spec again", gone.model, gone.version,
        )  # fmt: skip

    def _gives_up(self, first: Held, overdue: float) -> bool:
        about = first.predictions
        if about.digest not in self._given_up and first.since <= overdue:
            self._given_up.add(about.digest)
            log.warning(
                "%s version %d: no profile came for %s, so its rows count in no window and those behind them go on; "
                "train the model anew and promote that version", about.model, about.version, about.digest,
            )  # fmt: skip
        return about.digest in self._given_up

    def _append(self, held: Held) -> None:
        self.held.append(held)
        self.held_bytes += len(held.value)

    def _pop(self) -> Predictions:
        first = self.held.popleft()
        self.held_bytes -= len(first.value)
        return first.predictions
