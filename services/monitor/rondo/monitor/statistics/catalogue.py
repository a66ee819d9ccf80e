"""The statistics that `monitor.detectors` of a spec may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import DetectorName
from rondo.monitor.statistics.jensen_shannon import JENSEN_SHANNON
from rondo.monitor.statistics.ks import KOLMOGOROV_SMIRNOV
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, UNSEEN_CATEGORIES
from rondo.monitor.statistics.psi import PopulationStability
from rondo.monitor.statistics.total_variation import TOTAL_VARIATION
from rondo.monitor.statistics.wasserstein import WASSERSTEIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.statistics.base import WindowStatistic

STATISTICS: Mapping[str, WindowStatistic] = {
    DetectorName.PSI: PopulationStability(),
    DetectorName.KS: KOLMOGOROV_SMIRNOV,
    DetectorName.TOTAL_VARIATION: TOTAL_VARIATION,
    DetectorName.JENSEN_SHANNON: JENSEN_SHANNON,
    DetectorName.WASSERSTEIN: WASSERSTEIN,
    DetectorName.MISSING: MISSING_VALUES,
    DetectorName.UNSEEN: UNSEEN_CATEGORIES,
}
