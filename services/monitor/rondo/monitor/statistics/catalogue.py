"""The statistics in use, by the name of each, or of what several have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.statistics.distances import KOLMOGOROV_SMIRNOV, TOTAL_VARIATION
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, UNSEEN_CATEGORIES
from rondo.monitor.statistics.performance import Performance
from rondo.monitor.statistics.psi import PopulationStability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.statistics.base import WindowStatistic

STATISTICS: Mapping[str, WindowStatistic] = {
    "performance": Performance(),
    StatisticName.PSI: PopulationStability(),
    StatisticName.KS: KOLMOGOROV_SMIRNOV,
    StatisticName.TOTAL_VARIATION: TOTAL_VARIATION,
    StatisticName.MISSING: MISSING_VALUES,
    StatisticName.UNSEEN: UNSEEN_CATEGORIES,
}
