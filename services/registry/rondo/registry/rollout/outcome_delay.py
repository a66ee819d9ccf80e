"""Computes the longest time from a request until its outcome counts as evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import ReferenceProfile

# The bounds of the monitor's windows if the spec has no length. They are upper bounds of the length, because the
# monitor takes the longest calendar width below.
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=28)
_WITHOUT_DENSITY = timedelta(days=7)
_FEWEST_ROWS, _MOST_ROWS, _WINDOWS_IN_REFERENCE = 100, 20_000, 20


def outcome_delay(spec: ModelSpec, champion: ReferenceProfile | None, block: timedelta) -> timedelta:
    """Return the longest time from a request until its block, of length `block`, counts.

    The block has to end, and then the monitor's window in which it ends, which closes after its length and the label
    delay. `champion` is the reference whose density determines the length of windows, None if it can't be read.
    """
    window = _longest_window(champion) if spec.monitor.window is None else spec.monitor.window
    return block + window + spec.data.label_delay


def _longest_window(champion: ReferenceProfile | None) -> timedelta:
    if champion is None or champion.seconds <= 0 or not champion.rows:
        return _WITHOUT_DENSITY
    most = max(_FEWEST_ROWS, min(champion.rows / _WINDOWS_IN_REFERENCE, _MOST_ROWS))
    seconds = min(most / champion.rows * champion.seconds, _LONGEST.total_seconds())
    return max(_SHORTEST, timedelta(seconds=seconds))
