"""Bounds on the mean loss of a version that hold at any time, however often one looks at them.

They are empirical Bernstein confidence sequences (Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 2021, theorem 4). For 0 < r < 1, losses X between 0 and 1 and
guesses of them that are made before, exp(r * sum(X - E X) - (-log(1 - r) - r) * sum((X - guess)^2)) is a
supermartingale. A mixture of these over several r is one, too. By Ville's inequality it reaches 1/a at any time with
probability a at most. The bounded mean is that of the expected losses, each given the losses before it. The losses need
not be independent or identically distributed. They are means of blocks that are long enough to be hardly correlated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.autocorrelation import autocorrelation_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORTEST, _TIMES = 8, 5.0
_RATES = 1 - np.geomspace(0.999, 0.05, 40)
_STEPS = 40


@dataclass(frozen=True)
class LossBounds:
    """Sums over blocks of `block` rows or more. Each block has the same weight.

    `total` is the sum of the blocks' mean losses. `variance` is the sum of their squared deviations from the mean of
    the blocks before, which begins with `reference`. `open_rows` and `open_sum` belong to the incomplete block. `rows`
    is the number of rows in the `blocks` complete ones.
    """

    block: int
    reference: float
    rows: int = 0
    blocks: int = 0
    total: float = 0.0
    variance: float = 0.0
    open_rows: int = 0
    open_sum: float = 0.0

    @classmethod
    def of(cls, means: NDArray[np.float64], rows: int, autocorrelation_rows: float) -> LossBounds:
        """Return the bounds before any loss, for a holdout whose stretches have these means, shape `[stretches]`."""
        time = max(autocorrelation_rows, autocorrelation_time(means[None], rows))
        block = _SHORTEST if time <= 1 else max(_SHORTEST, math.ceil(_TIMES * time))
        return cls(block, float(means.mean()))

    def with_losses(self, rows: int, total: float) -> LossBounds:
        """Add the losses of a bucket with `rows` rows, which add up to `total`."""
        found = replace(self, open_rows=self.open_rows + rows, open_sum=self.open_sum + total)
        return _closed(found) if found.open_rows >= self.block else found

    def within(self, confidence: float) -> tuple[float, float, float] | None:
        """Return the mean loss of the blocks, and its bounds.

        With probability `confidence` the bounds hold at all times. None before the first block is complete.
        """
        if not self.blocks:
            return None
        mean, width = self.total / self.blocks, boundary(self.variance, (1 - confidence) / 2) / self.blocks
        return mean, max(mean - width, 0.0), min(mean + width, 1.0)


def _closed(bounds: LossBounds) -> LossBounds:
    mean = bounds.open_sum / bounds.open_rows
    # The guess of a block's loss may depend only on the blocks before it.
    before = (bounds.total + bounds.reference) / (bounds.blocks + 1)
    return replace(
        bounds,
        rows=bounds.rows + bounds.open_rows,
        blocks=bounds.blocks + 1,
        total=bounds.total + mean,
        variance=bounds.variance + (mean - before) ** 2,
        open_rows=0,
        open_sum=0.0,
    )


def boundary(variance: float, alpha: float) -> float:
    """Return the bound that the sum of deviations exceeds at any time with probability `alpha` at most.

    `variance` is the sum of squared deviations so far.
    """
    costs = (-np.log1p(-_RATES) - _RATES) * variance
    low, high = 0.0, float(np.min((np.log(len(_RATES) / alpha) + costs) / _RATES))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        reached = np.logaddexp.reduce(_RATES * middle - costs) >= math.log(len(_RATES) / alpha)
        low, high = (low, middle) if reached else (middle, high)
    return high
