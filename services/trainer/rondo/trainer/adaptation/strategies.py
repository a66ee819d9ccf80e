"""Which rows a strategy fits to, and with which weights.

Windows of several lengths beside each other, of which the losses on later rows choose: Han, Huang and Wang, "Model
assessment and selection under temporal distribution shift", ICML 2024, arXiv 2402.08672. Weights that fade: Gama,
Sebastião and Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90, 2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.vocabularies import AdaptationStrategy

if TYPE_CHECKING:
    from numpy.typing import NDArray

# All rows since the last confirmed alarm. It leads at first.
SINCE: str = AdaptationStrategy.SINCE.value
ALL: str = AdaptationStrategy.ALL.value
FADING: str = AdaptationStrategy.FADING.value
# The window as it is, beside its rows since a suspected change.
WINDOW = "window"
# What serves already: it has a record, and is fitted to nothing.
CHAMPION: str = AdaptationStrategy.CHAMPION.value
SAFE = (SINCE, ALL)
_LEAST_LAST, _LAST_PER_FEATURE, _LAST_STEP = 800, 40, 4
# All of the last rows together then cost less than one fit to all rows.
_LARGEST_LAST = 0.5


@dataclass(frozen=True)
class Strategy:
    """The rows from `first` on, in order of event time. With a half-life, in rows, their weights fade."""

    name: str
    first: int
    half_life: float | None = None

    def weights(self, rows: int) -> NDArray[np.float64] | None:
        """Return the weights of the rows from `first` to `rows`, the newest 1. None where all weigh the same."""
        if self.half_life is None:
            return None
        ages = np.arange(rows - self.first - 1, -1, -1)
        return np.asarray(0.5 ** (ages / self.half_life))


def strategies(
    rows: int, since: int, features: int, first: int, *, fades: bool, floor: int = 0
) -> tuple[Strategy, ...]:
    """Return the strategies for `rows` rows, the one that leads at first before the others.

    `since` is the first row of its window, and `first` the rows of the first training. Without `fades` the estimator
    takes no weights. Of strategies with the same rows there is one, and none of the last fewer than `floor`.
    """
    found = [Strategy(SINCE, since)]
    if since > 0:
        found.append(Strategy(ALL, 0))
    count = max(_LEAST_LAST, _LAST_PER_FEATURE * features)
    while count <= _LARGEST_LAST * rows:
        if count >= floor:
            found.append(Strategy(f"last {count}", rows - count))
        count *= _LAST_STEP
    if fades:
        found.append(Strategy(FADING, 0, half_life=max(first / 2, 1.0)))
    return tuple(found)
