"""The detectors in use, by the name of their statistic, or of what their statistics have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.distances import KOLMOGOROV_SMIRNOV, TOTAL_VARIATION
from rondo.monitor.detectors.missing_and_unseen import MISSING_VALUES, UNSEEN_CATEGORIES
from rondo.monitor.detectors.performance import Performance
from rondo.monitor.detectors.psi import PopulationStability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.detectors.base import Detector

DETECTORS: Mapping[str, Detector] = {
    StatisticName.PSI: PopulationStability(),
    StatisticName.KS: KOLMOGOROV_SMIRNOV,
    StatisticName.TOTAL_VARIATION: TOTAL_VARIATION,
    StatisticName.MISSING: MISSING_VALUES,
    StatisticName.UNSEEN: UNSEEN_CATEGORIES,
    "performance": Performance(),
}
