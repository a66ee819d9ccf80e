"""The state of a window: counts, not rows. Counts of disjoint sets of rows add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.monitor.windows.binning import Binning
    from rondo.monitor.windows.tumbling import TumblingWindows

SCORE_BINS = 1024
_POSITIVE = 0.5


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """`bins` are the rows by bin of every column (see `binning`); `scores` of labelled rows, shape (2, SCORE_BINS)."""

    rows: int
    bins: NDArray[np.int64]
    scores: NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> WindowCounts:
        """Return the counts of no rows, in `size` bins."""
        return cls(0, np.zeros(size, np.int64), np.zeros((2, SCORE_BINS), np.int64))

    @property
    def labelled_rows(self) -> int:
        """The number of rows with an outcome."""
        return int(self.scores.sum())

    def with_rows(self, rows: int, bins: NDArray[np.int64]) -> WindowCounts:
        """Return the counts with more rows."""
        return WindowCounts(self.rows + rows, self.bins + bins, self.scores)

    def with_outcomes(self, scores: NDArray[np.int64]) -> WindowCounts:
        """Return the counts with more outcomes."""
        return WindowCounts(self.rows, self.bins, self.scores + scores)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, WindowCounts)
            and self.rows == other.rows
            and np.array_equal(self.bins, other.bins)
            and np.array_equal(self.scores, other.scores)
        )

    def __hash__(self) -> int:
        """Hash by what is cheap."""
        return hash((self.rows, self.bins.size))


# Open windows by version and start.
OpenWindows = dict[tuple[int, int], WindowCounts]


def score_histogram(scores: NDArray[np.float32], outcomes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count scores in [0, 1] by outcome (row 1: outcomes above one half); the shape is (2, SCORE_BINS)."""
    bins = np.clip((scores.astype(np.float64) * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
    return np.bincount(bins + SCORE_BINS * (outcomes > _POSITIVE), minlength=2 * SCORE_BINS).reshape(2, SCORE_BINS)


def count_rows(windows: OpenWindows, version: int, rows: pa.Table, starts: NDArray[np.int64], binning: Binning) -> None:
    """Count rows of a version into `windows`, by the start of each row's window."""
    distinct = np.unique(starts)
    for start in distinct:
        part = rows if distinct.size == 1 else rows.filter(pa.array(starts == start))
        key = (version, int(start))
        counts = windows.get(key) or WindowCounts.empty(binning.size)
        windows[key] = counts.with_rows(part.num_rows, binning.count(part))


def count_outcomes(windows: OpenWindows, pairs: pa.Table, tumbling: TumblingWindows) -> int:
    """Count pairs of prediction and outcome into the predictions' windows; returns how many outcomes were late.

    Late is an outcome known after its window's close time; or one that arrived after its window was closed, which
    happens only where the window did not wait for outcomes.
    """
    pairs = pairs.filter(pc.is_finite(pairs.column("score")))
    starts = tumbling.starts(pairs.column("event_time").to_numpy())
    versions = pairs.column("version").to_numpy()
    in_time = pairs.column("known_at").to_numpy() <= starts + tumbling.length + tumbling.label_delay
    scores, outcomes = pairs.column("score").to_numpy(), pairs.column("outcome").to_numpy()
    counted = 0
    for key, counts in list(windows.items()):
        mask = in_time & (versions == key[0]) & (starts == key[1])
        if mask.any():
            windows[key] = counts.with_outcomes(score_histogram(scores[mask], outcomes[mask]))
            counted += int(mask.sum())
    return int(pairs.num_rows) - counted
