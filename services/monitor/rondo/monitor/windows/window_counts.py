"""What is kept of a window: counts, not rows. The counts of its parts add up to those of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.monitor.detectors.performance import SCORE_BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.monitor.windows.binning import Binning


@dataclass(frozen=True, eq=False)
class Sketch:
    """`rows`; `counts` by bin (see `counting`); `labelled`, scores by outcome, of shape (2, SCORE_BINS)."""

    rows: int
    counts: NDArray[np.int64]
    labelled: NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> Sketch:
        """Return the sketch of no rows, with `size` counts."""
        return cls(0, np.zeros(size, np.int64), np.zeros((2, SCORE_BINS), np.int64))

    def with_rows(self, rows: int, counts: NDArray[np.int64]) -> Sketch:
        """Return the sketch with more rows."""
        return Sketch(self.rows + rows, self.counts + counts, self.labelled)

    def with_outcomes(self, labelled: NDArray[np.int64]) -> Sketch:
        """Return the sketch with more outcomes."""
        return Sketch(self.rows, self.counts, self.labelled + labelled)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, Sketch)
            and self.rows == other.rows
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.labelled, other.labelled)
        )

    def __hash__(self) -> int:
        """Hash by what is cheap."""
        return hash((self.rows, self.counts.size))


def count_rows(
    windows: dict[tuple[int, int], Sketch], version: int, rows: pa.Table, starts: NDArray[np.int64], binning: Binning
) -> None:
    """Count rows of a version into `windows`, by the start of the window that each falls into."""
    found = np.unique(starts)
    for start in found:
        part = rows if found.size == 1 else rows.filter(pa.array(starts == start))
        key = (version, int(start))
        sketch = windows.get(key) or Sketch.empty(binning.size)
        windows[key] = sketch.with_rows(part.num_rows, binning.count(part))
