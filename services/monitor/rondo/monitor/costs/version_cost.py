"""The cost of a version, in total and by window.

Durations are counted in bins, so the state does not grow with the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from rondo.contracts.events.inference_cost import InferenceCost

# Bins of microseconds that grow by 9%, as in DDSketch (Masson, Rim and Lee, VLDB 2019), up to 134 s. The error of a
# quantile is less than 5%.
_PER_OCTAVE = 8
_BINS = 27 * _PER_OCTAVE
# The versions of a model with a cost. The oldest are discarded.
MOST_VERSIONS = 8
# The windows of a model with a cost: open ones, and those that wait for outcomes. The oldest are discarded.
MOST_WINDOWS = 512


@dataclass(frozen=True)
class VersionCost:
    """The cost of a version: `rows` with a prediction and `failed` ones without, in `inferences`.

    `bins` counts the inferences by duration. `memory` is in bytes.
    """

    rows: int = 0
    failed: int = 0
    inferences: int = 0
    cpu_micros: int = 0
    memory: int = 0
    bins: tuple[int, ...] = (0,) * _BINS

    def plus(self, cost: InferenceCost) -> VersionCost:
        """Return the cost plus that of a message of the log."""
        if not cost.micros:
            return self
        counts = np.bincount(_bins(cost.micros), minlength=_BINS)
        return VersionCost(
            self.rows + cost.rows,
            self.failed + cost.failed,
            self.inferences + len(cost.micros),
            self.cpu_micros + cost.cpu_micros,
            cost.memory or self.memory,
            tuple((np.array(self.bins) + counts).tolist()),
        )

    def quantile(self, share: float) -> float | None:
        """Return the duration, in seconds, that a share of the inferences does not exceed. None without inferences."""
        if not self.inferences:
            return None
        place = int(np.searchsorted(np.cumsum(self.bins), share * self.inferences))
        return float(2.0 ** ((place + 0.5) / _PER_OCTAVE) / 1e6)


def _bins(micros: Iterable[int]) -> NDArray[np.int64]:
    durations = np.maximum(np.fromiter(micros, np.float64), 1.0)
    return np.asarray(np.minimum(np.floor(np.log2(durations) * _PER_OCTAVE), _BINS - 1), np.int64)


@dataclass
class ModelCosts:
    """The cost of the newest versions of a model, in total and in every role, and their cost in open windows.

    `windows` is by version and start, like the open windows of the model, and has the cost of versions as the primary.
    The start is `NEVER` for the cost before there were windows, or before any request with an event time.
    """

    versions: dict[int, VersionCost] = field(default_factory=dict)
    windows: dict[tuple[int, int], VersionCost] = field(default_factory=dict)

    def add(self, version: int, cost: InferenceCost, window: int | None = None) -> None:
        """Add the cost of a message of the log. A message without inferences changes nothing.

        `window` is the start of its window. With None the cost counts only in the version's total.
        """
        if not cost.micros:
            return
        self.versions[version] = self.versions.get(version, VersionCost()).plus(cost)
        for oldest in sorted(self.versions)[:-MOST_VERSIONS]:
            del self.versions[oldest]
        if window is None:
            return
        self.windows[version, window] = self.windows.get((version, window), VersionCost()).plus(cost)
        # Windows with the same start are ordered by version, so that a restart discards the same ones.
        for key in sorted(self.windows, key=lambda key: (key[1], key[0]))[:-MOST_WINDOWS]:
            del self.windows[key]

    def close(self, version: int, start: int) -> VersionCost | None:
        """Return the cost of a window that closes, None if none is known. Discards it and those of earlier windows."""
        found = self.windows.get((version, start))
        self.windows = {key: each for key, each in self.windows.items() if key[0] != version or key[1] > start}
        return found

    def discard_windows(self, version: int) -> None:
        """Discard the cost of a version in its open windows. The version's total does not change."""
        self.windows = {key: each for key, each in self.windows.items() if key[0] != version}

    def by_window(self, version: int | None) -> dict[int, VersionCost]:
        """Return the cost of a version in its open windows, by their starts."""
        return {start: cost for (of, start), cost in self.windows.items() if of == version}
