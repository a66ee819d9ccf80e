"""The reference that a version is compared with: its profile, frozen at training, compiled into bins once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.windows.binning import Binning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import Evidence, ReferenceProfile


@dataclass(frozen=True)
class TrainedProfile:
    """A profile, and the number of holdout rows behind its AUC."""

    profile: ReferenceProfile
    holdout_rows: int

    @classmethod
    def of(cls, evidence: Evidence) -> TrainedProfile:
        """Return the part of a candidate's evidence that the monitor keeps."""
        return cls(evidence.profile, evidence.rows_holdout)


@dataclass(frozen=True, eq=False)
class Reference:
    """Bins, the reference's counts in them, the holdout's AUC and that AUC's standard error."""

    binning: Binning
    counts: NDArray[np.int64]
    roc_auc: float
    roc_auc_error: float

    @classmethod
    def of(cls, trained: TrainedProfile) -> Reference:
        """Compile a profile."""
        binning = Binning.of(trained.profile)
        figure = trained.profile.performance.get("roc_auc")
        auc, error = (figure.value, figure.error or 0.0) if figure else (0.5, 0.0)
        return cls(binning, binning.reference(trained.profile), auc, error)
