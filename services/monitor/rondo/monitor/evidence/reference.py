"""The reference that a version is compared with: its profile, frozen at training and compiled into bins once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.slices import Slices
from rondo.monitor.estimates.estimator import Estimator
from rondo.monitor.evidence.block_figures.group_gaps import rates_of
from rondo.monitor.evidence.component_sums import ComponentSums
from rondo.monitor.evidence.window_lengths import Density

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import PerformanceFigure, ReferenceProfile


@dataclass(frozen=True, eq=False)
class Reference:
    """The bins, the reference's counts in them, the components of the evidence, and the estimators.

    `digest` is that of the version's artifact. It seeds the evidence, so that versions are independent. `rates` are
    those whose gaps between slices are counted, see `group_gaps.RATES`. `estimator` is None where the trainer has
    written no calibration.
    """

    digest: str
    profile: ReferenceProfile
    binning: Binning
    counts: NDArray[np.int64]
    components: ComponentSums
    slices: Slices
    rates: tuple[str, ...] = ()
    estimator: Estimator | None = None

    @classmethod
    def of(cls, profile: ReferenceProfile, digest: str = "") -> Reference:
        binning = Binning.of(profile)
        components, estimator = ComponentSums.of(profile, binning), Estimator.of(profile, binning)
        slices = Slices.of(profile.slices)
        counts, rates = binning.reference(profile), rates_of(profile.task) if profile.slices else ()
        return cls(digest, profile, binning, counts, components, slices, rates, estimator)

    @property
    def task(self) -> FittedTask:
        return self.profile.task

    @property
    def performance(self) -> Mapping[str, PerformanceFigure]:
        """The metrics of the holdout."""
        return self.profile.performance

    @property
    def density(self) -> Density:
        """The density of the reference's rows in event time."""
        return Density(self.profile.rows, self.profile.seconds)

    @property
    def loss_components(self) -> int:
        """The number of components of the evidence from outcomes, see `WindowCounts.loss_sums`."""
        if (loss := self.profile.loss) is None:
            return 1
        return 1 + (loss.uncovered is not None) + 2 * (loss.bias is not None)

    @property
    def largest_loss(self) -> float | None:
        """The error that counts as a loss of 1, if the task has no natural bound."""
        return self.profile.loss.largest if self.profile.loss else None
