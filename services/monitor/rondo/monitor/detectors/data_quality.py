"""Missing values and unlisted categories that became more frequent than in the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.statistics import effect_size, least_rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from rondo.monitor.windows.binning import ColumnBins

# Cohen's h between "small" (0.2) and "medium" (0.5): 0% to 2%, 50% to 65%. With thousands of rows far smaller rises are
# significant, but irrelevant.
_LEAST_EFFECT = 0.3


def problems(
    column: ColumnBins, counts: NDArray[np.int64], reference: NDArray[np.int64], tail: float
) -> Iterator[Statistic]:
    """Yield the problems of one column; `tail` bounds the probability of each without any change."""
    observed, expected = column.of(counts), column.of(reference)
    rows, total = int(observed.sum()), int(expected.sum())
    yield from _rise(column.name, StatisticName.MISSING, (int(observed[-1]), rows), (int(expected[-1]), total), tail)
    if column.categories is not None:
        yield from _rise(column.name, StatisticName.UNSEEN, (int(observed[-2]), rows), (int(expected[-2]), total), tail)


def _rise(
    feature: str,
    name: StatisticName,
    observed: tuple[int, int],
    reference: tuple[int, int],
    tail: float,
) -> Iterator[Statistic]:
    if least_rise(*observed, *reference, tail) <= 0:
        return
    share, expected = observed[0] / observed[1], reference[0] / reference[1]
    if effect_size(share, expected) >= _LEAST_EFFECT:
        yield Statistic(feature=feature, statistic=name, value=share, reference=expected)
