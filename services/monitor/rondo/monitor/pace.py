"""How long the watching waits for what."""

from __future__ import annotations

from dataclasses import dataclass

# The share of the time that saves may take: a state that is slow to save is saved less often.
_SAVING = 0.1


@dataclass(frozen=True)
class Pace:
    """Seconds. `patience` is how long rows wait for the profile of their version before they are passed over."""

    save_every: float = 1.0
    outcomes_idle: float = 60.0
    disorder: float = 1.0
    patience: float = 300.0

    @property
    def disorder_micros(self) -> int:
        """`disorder` in microseconds, as event time is counted; one at least."""
        return max(1, round(self.disorder * 1_000_000))

    def until_save(self, took: float) -> float:
        """Return the least time between two saves, when the last one `took` this long."""
        return max(self.save_every, took / _SAVING)
