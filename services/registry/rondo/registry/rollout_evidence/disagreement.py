"""A guard without outcomes: bets that two versions differ in their predictions by more than they did on the holdout.

It finds a feature that is other in production than in training, not a model that is worse: refits with another seed
differ as much as on the holdout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.registry.rollout_evidence import bets

if TYPE_CHECKING:
    from rondo.registry.rollout_evidence.bets import Capitals

# What the mean difference of the holdout may become before it counts.
TOLERANCE = 1.25
_LEAST = 1e-6
_STAKES = tuple(0.85 * 2.0**-k for k in range(12))


def begin() -> Capitals:
    """Return the capitals before any prediction."""
    return bets.begin(_STAKES)


def take(capitals: Capitals, difference: float, of_holdout: float) -> Capitals:
    """Return the capitals after a block with the mean absolute `difference` (0 or more) of predictions.

    The payoff is the difference beyond what is tolerated, in units of that: it loses 1 at most.
    """
    tolerated = max(TOLERANCE * of_holdout, _LEAST)
    return bets.bet(capitals, _STAKES, difference / tolerated - 1)
