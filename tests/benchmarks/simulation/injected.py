"""A drift injected into rows of real or generated data, by the protocol of Cerqueira et al. (KDD 2026).

The rows are shuffled first, so that nothing else changes. From a random row between 50% and 80% of the stream on, at
once or with a probability that rises over `width` rows: features are permuted, all labels are the same, rows of one
class mostly fail to come, or rows above the median of a feature fail to come. Two kinds are not the paper's: half of
the features are shifted by a standard deviation, or have twice their distance from the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PUBLISHED = ("features permuted", "labels swapped", "fewer of a class", "fewer above a median")
KINDS = (*PUBLISHED, "features shifted", "features scaled")
_REGION, _SKIPPED = (0.5, 0.8), 0.75


@dataclass(frozen=True, eq=False)
class Trial:
    """Rows in order, their places `at` in the stream (other rows are missing), and the onset of the drift."""

    x: NDArray[np.float32]
    y: NDArray[np.int8]
    at: NDArray[np.int64]
    onset: int


def inject(x: NDArray[np.float32], y: NDArray[np.int8], kind: str, width: int, rng: np.random.Generator) -> Trial:
    """Return a shuffled stream with a drift of a kind."""
    order = rng.permutation(len(x))
    x, y, at = x[order].copy(), y[order].copy(), np.arange(len(x))
    onset = int(len(x) * rng.uniform(*_REGION))
    progress = (at - onset) / width if width else (at >= onset).astype(np.float64)
    drifted = rng.random(len(x)) < progress
    label, column = rng.integers(2), rng.integers(x.shape[1])
    missing = np.zeros(len(x), np.bool_)
    match kind:
        case "features permuted":
            x[drifted] = x[drifted][:, rng.permutation(x.shape[1])]
        case "labels swapped":
            y[drifted] = label
        case "fewer of a class":
            missing = drifted & (y == label) & (rng.random(len(x)) < _SKIPPED)
        case "fewer above a median":
            missing = drifted & (x[:, column] > np.nanmedian(x[:, column]))
        case "features shifted":
            x[drifted] += _half(x, rng) * np.nanstd(x, axis=0)
        case "features scaled":
            x[drifted] += _half(x, rng) * (x[drifted] - np.nanmean(x, axis=0))
        case _:
            raise ValueError(kind)
    return Trial(x[~missing], y[~missing], at[~missing], onset)


def _half(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return 1 for half of the features, and 0 for the others."""
    chosen = rng.permutation(x.shape[1]) < max(1, x.shape[1] // 2)
    return chosen.astype(np.float32)


@dataclass(frozen=True)
class Counted:
    """The alarms of a detector over trials, as the paper counts them.

    An alarm within `most` rows of the onset is right, any other is false. A trial without a right alarm is missed.
    `delays` are those of the first right alarms, and `rows` is the number of watched rows.
    """

    right: int
    false: int
    missed: int
    delays: tuple[int, ...]
    rows: int

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.right + other.right, self.false + other.false, self.missed + other.missed,
            self.delays + other.delays, self.rows + other.rows,
        )  # fmt: skip

    @property
    def f1(self) -> float:
        """The harmonic mean of right / (right + false) and right / (right + missed)."""
        return 2 * self.right / max(2 * self.right + self.false + self.missed, 1)

    @property
    def found(self) -> float:
        """The share of the trials with a right alarm."""
        return len(self.delays) / max(len(self.delays) + self.missed, 1)

    @property
    def delay(self) -> float:
        return float(np.mean(self.delays)) if self.delays else float("nan")

    def delay_of_all(self, most: int) -> float:
        """Return the mean rows to the first right alarm, where a trial without one counts as `most`."""
        trials = len(self.delays) + self.missed
        return (sum(self.delays) + most * self.missed) / max(trials, 1)

    @property
    def per_thousand(self) -> float:
        """False alarms per 1,000 rows that were watched."""
        return 1_000 * self.false / max(self.rows, 1)


def count(alarms: NDArray[np.int64], onset: int, most: int, rows: int) -> Counted:
    """Count the alarms of one trial, given as places of the stream in order."""
    right = alarms[(alarms >= onset) & (alarms <= onset + most)]
    delays = (int(right[0] - onset),) if len(right) else ()
    return Counted(len(right), len(alarms) - len(right), int(not len(right)), delays, rows)
