"""The reference that a version is compared with: its profile, frozen at training, compiled into bins once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.profiles.binning import Binning

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import PerformanceFigure, ReferenceProfile


@dataclass(frozen=True, eq=False)
class Reference:
    """Bins, the reference's counts in them, the model's task, and the metrics of its holdout."""

    binning: Binning
    counts: NDArray[np.int64]
    task: FittedTask
    performance: Mapping[str, PerformanceFigure]

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Reference:
        binning = Binning.of(profile)
        return cls(binning, binning.reference(profile), profile.task, profile.performance)
