"""Guards: whether the candidate has more of the errors, or of the slow minutes, than its share of the attempts.

If the candidate is no more prone to errors, an error is the candidate's with a probability of at most its share of the
attempts, whatever the rate of errors does over time: outages concern both (Lindon and Malek, "Anytime-valid inference
for multinomial count data", NeurIPS 2022; Lindon, Sanden and Shirikian, "Rapid regression detection in software
deployments through sequential testing", KDD 2022). The evidence is the mean over several odds by which the candidate
may be more prone. For odds r and a share q an error of the candidate multiplies a capital by `r / (1 + q (r - 1))`, and
one of the champion by `1 / (1 + q (r - 1))`: the expectation is 1 at q, and less below it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.registry.rollout_evidence.bets import Capitals

# From 1.4 to 32: a candidate with a few more errors needs many of them, and one that always fails a handful.
_ODDS = tuple(2 ** (each / 2) for each in range(1, 11))


def begin() -> Capitals:
    """Return the capitals before any error."""
    return (0.0,) * len(_ODDS)


def take(capitals: Capitals, candidate: int, champion: int, share: float) -> Capitals:
    """Return the capitals after the errors of a time in which the candidate had `share` (0 to 1) of the attempts.

    `candidate` and `champion` count the errors of each. Without attempts of both nothing is compared.
    """
    if not 0 < share < 1:
        return capitals
    errors = candidate + champion
    return tuple(
        capital + candidate * math.log(odds) - errors * math.log1p(share * (odds - 1))
        for capital, odds in zip(capitals, _ODDS, strict=True)
    )
