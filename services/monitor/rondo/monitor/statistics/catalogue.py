"""The statistics by the names in `monitor.detectors` of a spec. `user_detectors/` runs the classes of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import ColumnStatisticName
from rondo.monitor.statistics.jensen_shannon import JENSEN_SHANNON
from rondo.monitor.statistics.ks import KOLMOGOROV_SMIRNOV
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, OUT_OF_RANGE, UNSEEN_CATEGORIES
from rondo.monitor.statistics.psi import PopulationStability
from rondo.monitor.statistics.total_variation import TOTAL_VARIATION
from rondo.monitor.statistics.wasserstein import WASSERSTEIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.statistics.base import WindowStatistic

STATISTICS: Mapping[str, WindowStatistic] = {
    ColumnStatisticName.PSI: PopulationStability(),
    ColumnStatisticName.KS: KOLMOGOROV_SMIRNOV,
    ColumnStatisticName.TOTAL_VARIATION: TOTAL_VARIATION,
    ColumnStatisticName.JENSEN_SHANNON: JENSEN_SHANNON,
    ColumnStatisticName.WASSERSTEIN: WASSERSTEIN,
    ColumnStatisticName.MISSING: MISSING_VALUES,
    ColumnStatisticName.UNSEEN: UNSEEN_CATEGORIES,
    ColumnStatisticName.OUT_OF_RANGE: OUT_OF_RANGE,
}
