"""Whether a share of rows rose over its reference: significantly, and enough to matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.statistics import effect_size, least_rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.vocabularies import StatisticName

# Cohen's h between "small" (0.2) and "medium" (0.5): 0% to 2%, 50% to 65%. With thousands of rows far smaller rises are
# significant, but irrelevant.
_LEAST_EFFECT = 0.3


def rise(
    name: StatisticName, feature: str, observed: tuple[int, int], reference: tuple[int, int], tail: float
) -> Iterator[DetectorResult]:
    """Yield the share if it rose; `observed` and `reference` are a count and the rows that it is a share of."""
    if least_rise(*observed, *reference, tail) <= 0:
        return
    share, expected = observed[0] / observed[1], reference[0] / reference[1]
    if effect_size(share, expected) >= _LEAST_EFFECT:
        statistic = Statistic(feature=feature, statistic=name, value=share, reference=expected)
        yield DetectorResult(statistic, exceeded=True)
