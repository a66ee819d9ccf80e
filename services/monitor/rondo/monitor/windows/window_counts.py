"""The state of a window: counts, not rows. Counts of disjoint sets of rows add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

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
        return WindowCounts(self.rows + rows, self.bins + bins, self.scores)

    def with_outcomes(self, scores: NDArray[np.int64]) -> WindowCounts:
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


def count_labels(windows: OpenWindows, labelled: pa.Table, tumbling: TumblingWindows, *, removed: bool = False) -> None:
    """Count labelled predictions into their open windows, or remove them.

    Those without a finite score or outcome do not count.
    """
    scores, outcomes = labelled.column("score").to_numpy(), labelled.column("outcome").to_numpy()
    finite = np.isfinite(scores) & np.isfinite(outcomes)
    for key, mask in _masks(windows, labelled, tumbling).items():
        counted = mask & finite
        if counted.any():
            histogram = score_histogram(scores[counted], outcomes[counted])
            windows[key] = windows[key].with_outcomes(-histogram if removed else histogram)


def in_open_windows(windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows) -> NDArray[np.bool_]:
    """Return which predictions belong to an open window."""
    masks = list(_masks(windows, table, tumbling).values())
    return np.logical_or.reduce(masks) if masks else np.zeros(table.num_rows, np.bool_)


def _masks(
    windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows
) -> dict[tuple[int, int], NDArray[np.bool_]]:
    starts = tumbling.starts(table.column("event_time").to_numpy())
    versions = table.column("version").to_numpy()
    return {key: (versions == key[0]) & (starts == key[1]) for key in windows}
