"""What counts in no window: rows and outcomes by reason, and whether the rows are too many to see anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.alerts import blind
from rondo.monitor.alerts.coverage import Coverage, observe

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.monitor.alerts.findings import Announcement

# Beside the rows, outcomes: late, too far ahead of when they were written, or without a prediction because one of the
# two had to make room while it waited for the other.
NOTHING = dict.fromkeys((*blind.REASONS, "late_outcomes", "future_outcomes", "dropped_outcomes"), 0)


@dataclass
class LeftOut:
    """`counted` by reason; `coverage` of the newest rows; `said` is what came up, until it is told."""

    counted: dict[str, int] = field(default_factory=NOTHING.copy)
    coverage: Coverage = field(default_factory=Coverage)
    said: list[Announcement] = field(default_factory=list)

    def rows(self, model: str, at: datetime, **reasons: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Take in rows, of which each reason leaves out its own; returns those that some reason left out."""
        for reason, rows in reasons.items():
            self.counted[reason] += int(rows.sum())
        left_out = np.asarray(np.logical_or.reduce(list(reasons.values())))
        self.coverage, turns = observe(self.coverage, left_out)
        self.said += [blind.ring(model, turn, self.counted, at) for turn in turns]
        return left_out

    def speak(self) -> list[Announcement]:
        """Return what came up, once."""
        said, self.said = self.said, []
        return said
