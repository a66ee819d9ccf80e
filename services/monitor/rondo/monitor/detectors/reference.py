"""What a version is held against: its profile, frozen at training, compiled into bins once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.detectors.performance import standard_error
from rondo.monitor.windows.binning import Binning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.events.profile import ReferenceProfile
    from rondo.contracts.events.training import Evidence


@dataclass(frozen=True)
class Profiled:
    """A profile and the number of rows of the holdout that its AUC was measured on."""

    profile: ReferenceProfile
    holdout_rows: int

    @classmethod
    def of(cls, evidence: Evidence) -> Profiled:
        """Return what the monitor keeps of a candidate's evidence."""
        return cls(evidence.profile, evidence.rows_holdout)


@dataclass(frozen=True, eq=False)
class Reference:
    """Bins, the reference's counts in them, the holdout's AUC and that AUC's own standard error."""

    binning: Binning
    counts: NDArray[np.int64]
    roc_auc: float
    roc_auc_error: float

    @classmethod
    def of(cls, profiled: Profiled) -> Reference:
        """Compile a profile."""
        binning = Binning.of(profiled.profile)
        positives = max(1.0, profiled.holdout_rows * profiled.profile.positive_rate)
        negatives = max(1.0, profiled.holdout_rows - positives)
        auc = profiled.profile.roc_auc
        error = standard_error(auc, positives, negatives)
        return cls(binning, binning.reference(profiled.profile), auc, error)
