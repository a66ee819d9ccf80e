"""A guard without outcomes: bets that the predictions of two versions differ more than on the holdout.

It detects a feature that differs between production and training. It does not detect a worse model: the predictions of
refits with another seed differ as much as on the holdout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.registry.rollout_evidence import betting

if TYPE_CHECKING:
    from rondo.registry.rollout_evidence.betting import Capitals

# The mean difference may be this many times that of the holdout.
TOLERANCE = 1.25
_LEAST = 1e-6
_STAKES = tuple(0.85 * 2.0**-k for k in range(12))


def begin() -> Capitals:
    """Return the capitals before any prediction."""
    return betting.begin(_STAKES)


def take(capitals: Capitals, difference: float, of_holdout: float) -> Capitals:
    """Return the capitals after a block with the mean absolute `difference` (0 or more) of predictions.

    The payoff is the difference minus the tolerated one, divided by the tolerated one. It is at least -1.
    """
    tolerated = max(TOLERANCE * of_holdout, _LEAST)
    return betting.bet(capitals, _STAKES, difference / tolerated - 1)
