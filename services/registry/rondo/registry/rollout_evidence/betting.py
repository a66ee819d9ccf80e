"""Bets on a bounded mean: the capital of a mixture of stakes is evidence that is valid at any time.

A bettor who stakes `a` on a payoff `x` multiplies the capital by `1 + a x`. If the mean of each payoff, given the past,
is not positive, the capital is a nonnegative supermartingale, and so is the mean over several stakes: the probability
that it reaches `1/alpha` at any time is at most `alpha` (Ville's inequality; Waudby-Smith and Ramdas, "Estimating means
of bounded random variables by betting", JRSS B 2024, sections 4 and 5). There is no assumption about the variance.

The state has the logarithm of the capital of each stake. It is a sum over the pieces of evidence, so neither their
order nor a restart between them matters.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

# Logarithms of capitals, one for each stake.
Capitals = tuple[float, ...]
# No bet loses more than this share of a capital, whatever the payoff.
_MOST_AT_STAKE = 0.85
_FALLBACK = 12
_WORSE, _FIT = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0), (0.5, 1.0, 2.0)


class Stakes(Value):
    """The stakes on differences `d` of losses, candidate minus champion, each the mean of a block.

    `worse` bets on `d - tolerated`, `fit` on `margin - d`, and `better` on `-d`. Differences are clipped to the range
    `-bound` to `bound`, so the test is about the clipped mean.
    """

    worse: tuple[float, ...]
    fit: tuple[float, ...]
    better: tuple[float, ...]
    bound: float
    margin: float
    tolerated: float = 0.0

    def clipped(self, difference: float) -> float:
        return min(self.bound, max(-self.bound, difference))


def stakes(bound: float, margin: float, variance: float | None = None, tolerated: float = 0.0) -> Stakes:
    """Return the stakes for differences up to `bound`. `variance` is that of the blocks of the gate's holdout.

    The best stake for a mean m and a variance v is about m/v, so the stakes, six and three of them, are spread around
    that. Without a variance there are twelve, each half of the previous one.
    """
    most_worse, most_fit = _MOST_AT_STAKE / (bound + tolerated), _MOST_AT_STAKE / (bound + margin)
    if not variance or margin <= 0:
        halved = [2.0**-k for k in range(_FALLBACK)]
        worse, fit = ([most * each for each in halved] for most in (most_worse, most_fit))
    else:
        best = margin / variance
        worse = [min(most_worse, best * each) for each in _WORSE]
        fit = [min(most_fit, best * each) for each in _FIT]
    better = [min(_MOST_AT_STAKE / bound, each) for each in fit]
    return Stakes(
        worse=tuple(worse), fit=tuple(fit), better=tuple(better), bound=bound, margin=margin, tolerated=tolerated
    )


def begin(stakes: Sequence[float]) -> Capitals:
    """Return the capitals before any evidence."""
    return (0.0,) * len(stakes)


def bet(capitals: Capitals, stakes: Sequence[float], payoff: float) -> Capitals:
    """Return the capitals after one payoff.

    Raises:
        ValueError: a stake can lose its whole capital by this payoff.

    """
    return tuple(capital + math.log1p(stake * payoff) for capital, stake in zip(capitals, stakes, strict=True))


def log_evidence(capitals: Capitals) -> float:
    """Return the logarithm of the mean capital. 0 without a stake."""
    if not capitals:
        return 0.0
    largest = max(capitals)
    return largest + math.log(sum(math.exp(each - largest) for each in capitals) / len(capitals))


def reaches(capitals: Capitals, alpha: float) -> bool:
    """Return whether the evidence has reached 1/alpha."""
    return log_evidence(capitals) >= -math.log(alpha)
