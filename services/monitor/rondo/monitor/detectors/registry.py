"""The detectors in use, by the name of their statistic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.ks import KolmogorovSmirnov
from rondo.monitor.detectors.missing import MissingValues
from rondo.monitor.detectors.psi import PopulationStability
from rondo.monitor.detectors.roc_auc import RocAuc
from rondo.monitor.detectors.total_variation import TotalVariation
from rondo.monitor.detectors.unseen import UnseenCategories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.detectors.base import Detector

DETECTORS: Mapping[str, Detector] = {
    StatisticName.PSI: PopulationStability(),
    StatisticName.KS: KolmogorovSmirnov(),
    StatisticName.TOTAL_VARIATION: TotalVariation(),
    StatisticName.MISSING: MissingValues(),
    StatisticName.UNSEEN: UnseenCategories(),
    StatisticName.ROC_AUC: RocAuc(),
}
