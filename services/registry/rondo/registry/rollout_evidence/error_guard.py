"""Guards that compare the candidate's share of the errors, or of the slow minutes, with its share of the attempts.

If the candidate's error rate is not higher, an error belongs to the candidate with a probability of at most its share
of the attempts. This holds if the error rate changes over time, because outages affect both versions (Lindon and Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022; Lindon, Sanden and Shirikian, "Rapid regression
detection in software deployments through sequential testing", KDD 2022). The evidence is the mean over several odds
ratios. For odds r and a share q an error of the candidate multiplies a capital by `r / (1 + q (r - 1))`, and an error
of the champion by `1 / (1 + q (r - 1))`. The expectation is 1 at q, and less below it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.registry.rollout_evidence.betting import Capitals

# From 1.4 to 32. Small odds detect a slightly higher error rate after many errors, large odds a total failure after
# few.
_ODDS = tuple(2 ** (each / 2) for each in range(1, 11))


def begin() -> Capitals:
    """Return the capitals before any error."""
    return (0.0,) * len(_ODDS)


def take(capitals: Capitals, candidate: int, champion: int, share: float) -> Capitals:
    """Return the capitals after the errors of a time in which the candidate had `share` (0 to 1) of the attempts.

    `candidate` and `champion` are the numbers of errors. If only one version has attempts, the capitals stay the same.
    """
    if not 0 < share < 1:
        return capitals
    errors = candidate + champion
    return tuple(
        capital + candidate * math.log(odds) - errors * math.log1p(share * (odds - 1))
        for capital, odds in zip(capitals, _ODDS, strict=True)
    )
