"""The predictions over time: counts by bin in periods, so that the loss since a change can be estimated.

The periods double in length with age, so their number is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PERIODS = 128


@dataclass(frozen=True, eq=False)
class PredictionHistory:
    """Counts of predictions by period: `starts` in microseconds, ascending, and `counts` by bin.

    The shapes are `[periods]` and `[periods, bins]`. The arrays are never changed, so a copy of the object is a
    snapshot.
    """

    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, bins: int) -> PredictionHistory:
        return cls(np.zeros(0, np.int64), np.zeros((0, bins), np.int64))

    def with_period(self, start: int, counts: NDArray[np.int64]) -> PredictionHistory:
        """Return the history with rows that follow those before, as counts by bin, shape `[bins]`."""
        found = PredictionHistory(np.append(self.starts, start), np.concatenate((self.counts, counts[None])))
        return found if len(found.starts) <= MOST_PERIODS else found._halved()

    def since(self, time: int) -> NDArray[np.int64]:
        """Return the rows by bin of the periods that begin at a time or later.

        Those of the last period if none does.
        """
        first = min(int(np.searchsorted(self.starts, time)), max(len(self.starts) - 1, 0))
        return np.asarray(self.counts[first:].sum(axis=0), np.int64)

    def _halved(self) -> PredictionHistory:
        """Merge pairs of periods. If their number is odd, the newest one stays as it is."""
        places = np.arange(0, len(self.starts), 2)
        return replace(self, starts=self.starts[places], counts=np.add.reduceat(self.counts, places, axis=0))
