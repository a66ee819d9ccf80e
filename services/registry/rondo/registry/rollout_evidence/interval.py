"""Figures for people: an interval of the mean difference, and the number of blocks that is needed.

No decision uses them.
"""

from __future__ import annotations

import math

from rondo.contracts.events.base import Value

# The number of blocks at which the interval is narrowest.
_TUNED_FOR = 5_000
# The number of blocks until an equal candidate passes, in units of variance / margin^2: the median and the ninth decile
# of simulated rollouts (tests/benchmarks/simulation/rollouts.py).
_MEDIAN, _NINE_OF_TEN = 6.0, 14.0


class Moments(Value):
    """The number of differences, their sum and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, difference: float) -> Moments:
        return Moments(
            count=self.count + 1, total=self.total + difference, squares=self.squares + difference * difference
        )

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation. 0 for fewer than two differences."""
        if self.count <= 1:
            return 0.0
        return math.sqrt(max(0.0, self.squares / self.count - self.mean**2))


def half_width(moments: Moments, alpha: float) -> float | None:
    """Return half of the width of a two-sided interval that covers the mean at all times with probability `1 - alpha`.

    The coverage is asymptotic. None for fewer than two differences. It is the confidence sequence of Waudby-Smith,
    Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals
    of Statistics 2024, (6).
    """
    if moments.count <= 1:
        return None
    count, rho = moments.count, _rho_squared(alpha)
    scaled = count * rho + 1
    radius = math.sqrt(2 * scaled / (count**2 * rho) * math.log(math.sqrt(scaled) / alpha))
    return moments.deviation * radius


def _rho_squared(alpha: float) -> float:
    """Return the parameter that makes the interval narrow at `_TUNED_FOR`, as in the paper's appendix B.2."""
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / _TUNED_FOR


class Need(Value):
    """The number of blocks with outcomes until an equal candidate passes: the median, and the ninth decile."""

    median: int
    nine_of_ten: int


def needed_blocks(variance: float, margin: float) -> Need | None:
    """Return the number of blocks for block means with `variance`. None without a margin."""
    if margin <= 0:
        return None
    unit = variance / margin**2
    return Need(median=max(1, math.ceil(_MEDIAN * unit)), nine_of_ten=max(1, math.ceil(_NINE_OF_TEN * unit)))
