"""The rows that a strategy fits to, and their weights.

Windows of several lengths are compared, and their losses on later rows decide: Han, Huang and Wang, "Model assessment
and selection under temporal distribution shift", ICML 2024, arXiv 2402.08672. Fading weights: Gama, Sebastião and
Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90, 2013.
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
# The whole window, which is compared with its rows since a suspected change.
WINDOW = "window"
# The champion has a record of losses, and is not fitted again.
CHAMPION: str = AdaptationStrategy.CHAMPION.value
SAFE = (SINCE, ALL)
_LEAST_LAST, _LAST_PER_FEATURE, _LAST_STEP = 800, 40, 4
# The fits to the last rows then together cost less than one fit to all rows.
_LARGEST_LAST = 0.5


@dataclass(frozen=True)
class Strategy:
    """The rows from `first` on, in order of event time. With a half-life, in rows, their weights fade."""

    name: str
    first: int
    half_life: float | None = None

    def weights(self, rows: int) -> NDArray[np.float64] | None:
        """Return the weights of the rows from `first` to `rows`. The newest has 1. None if all rows weigh the same."""
        if self.half_life is None:
            return None
        ages = np.arange(rows - self.first - 1, -1, -1)
        return np.asarray(0.5 ** (ages / self.half_life))


def strategies(
    rows: int, since: int, features: int, first: int, *, fades: bool, floor: int = 0
) -> tuple[Strategy, ...]:
    """Return the strategies for `rows` rows, the initial leader first.

    `since` is the first row of its window, and `first` the number of rows of the first training. `fades` is True if the
    estimator takes weights. A strategy of the last rows has `floor` rows at least. If the window has all rows, there is
    no second strategy of all rows with equal weights.
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
