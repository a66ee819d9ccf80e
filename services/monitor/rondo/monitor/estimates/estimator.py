"""Estimates the performance of rows from counts of their predictions, without any outcome.

The counts are those of the output's bins, which the monitor has anyway, so the estimate needs no work for each row.

The method is confidence-based performance estimation (CBPE; Białek et al., arXiv 2401.08348; the mean of calibrated
confidences: Kivimäki et al., arXiv 2407.08649), with calibration by histogram binning. Rows are not weighted by how
inputs have changed, in contrast to the PAPE of Białek et al.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.tasks.binned_figures import BinnedFigures
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning, ColumnBins
    from rondo.contracts.tasks.sketches import Figure
    from rondo.contracts.training_evidence import ReferenceProfile

ASSUMPTION = (
    "rows with like predictions are as often right, or as far off, as on the holdout: the relation of features and "
    "label is unchanged"
)


@dataclass(frozen=True, eq=False)
class Estimator:
    """The calibration of a version on its holdout, for the task `task`. `column` has the bins of the predictions.

    `autocorrelation_rows` is the number of rows of the holdout over which the predictions are correlated, 1 if they are
    not.
    """

    task: str
    column: ColumnBins
    figures: BinnedFigures
    autocorrelation_rows: float = 1.0

    @classmethod
    def of(cls, profile: ReferenceProfile, binning: Binning) -> Estimator | None:
        """Return the estimator of a reference. None if the reference has no calibration, or one of other bins."""
        if (found := profile.calibration) is None:
            return None
        named = f"{OUTPUT}{found.output}"
        column = next((each for each in binning.columns if each.name == named and each.edges is not None), None)
        if column is None or column.size - 1 != len(found.rows):
            return None
        means = {name: np.array(each.means) for name, each in found.figures.items()}
        variances = {name: np.array(each.variances) for name, each in found.figures.items()}
        figures = BinnedFigures.of(np.array(found.rows, np.int64), means, variances)
        blocks = profile.output_blocks.columns.get(found.output) if profile.output_blocks else None
        correlated = blocks.autocorrelation_rows if blocks else 1.0
        return cls(profile.task.task, column, figures, correlated) if figures else None

    def predicted(self, bins: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows by bin of the prediction, shape `[..., bins]`, from counts by the bins of every column."""
        return bins[..., self.column.offset : self.column.offset + self.column.size - 1]

    def expected(self, bins: NDArray[np.int64]) -> Mapping[str, Figure]:
        """Return the expected loss and metrics of rows with these counts. Empty if no row has a prediction."""
        counts = self.predicted(bins)
        if not counts.any():
            return {}
        loss = self.figures.mean(StatisticName.LOSS, counts)
        return {**task_named(self.task).expected(self.figures, counts), StatisticName.LOSS: loss}

    def of_holdout(self, name: str) -> float | None:
        """Return a figure of the holdout by its name. None if the figure is not a mean over rows."""
        return self.figures.reference(name) if name in self.figures.means else None
