"""The reference that a version is compared with: its profile, frozen at training, compiled into bins once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.monitor.windows.binning import Binning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import ReferenceProfile


@dataclass(frozen=True, eq=False)
class Reference:
    """Bins, the reference's counts in them, the holdout's AUC and that AUC's standard error."""

    binning: Binning
    counts: NDArray[np.int64]
    roc_auc: float
    roc_auc_error: float

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Reference:
        """Compile a profile."""
        binning = Binning.of(profile)
        figure = profile.performance.get("roc_auc")
        auc, error = (figure.value, figure.error or 0.0) if figure else (0.5, 0.0)
        return cls(binning, binning.reference(profile), auc, error)
