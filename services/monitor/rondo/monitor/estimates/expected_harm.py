"""An assessment of whether a change of the inputs is likely to do harm, by the expected loss since the change.

Only some shifts of the inputs do harm, and only those require an action: Podkopaev and Ramdas, "Tracking the risk of a
deployed model and detecting harmful distribution shifts", ICLR 2022. Their method needs outcomes. Here the loss is an
estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import Harm, StatisticName
from rondo.monitor.estimates.reliance import SLIGHT

if TYPE_CHECKING:
    from rondo.monitor.estimates.estimator import Estimator
    from rondo.monitor.estimates.prediction_history import PredictionHistory
    from rondo.monitor.estimates.reliance import Reliance

# An estimate is tested only where a change of the inputs is certain already, so there are few tests.
_CERTAIN_ERRORS = 3.0
_POSSIBLE_ERRORS = 2.0
FEWEST_ROWS = 100


@dataclass(frozen=True)
class ExpectedLoss:
    """The expected loss of `rows` rows, and that of the holdout as `reference`.

    `error` is the standard error of their difference.
    """

    value: float
    error: float
    reference: float
    rows: int

    @property
    def harm(self) -> Harm:
        """Likely if the loss has risen by more than chance. None if the rise plus twice its error is slight."""
        rise = self.value - self.reference
        if self.rows >= FEWEST_ROWS and rise > _CERTAIN_ERRORS * self.error:
            return Harm.LIKELY
        return Harm.NONE if rise + _POSSIBLE_ERRORS * self.error <= SLIGHT * self.reference else Harm.UNCERTAIN


@dataclass(frozen=True)
class ExpectedHarm:
    """The evidence for and against harm by a change: the expected `loss` since, and the `reliance` of the model.

    Each is None if it is not known.
    """

    loss: ExpectedLoss | None = None
    reliance: Reliance | None = None

    @property
    def harm(self) -> Harm | None:
        """The likelihood of harm. None if nothing is known.

        An estimated loss that has risen takes precedence over a slight reliance: the model may be more reliable within
        the range of the training values than beyond it.
        """
        estimated = self.loss.harm if self.loss else None
        if estimated != Harm.LIKELY and self.reliance and self.reliance.is_slight:
            return Harm.NONE
        return estimated


def expected_loss(estimator: Estimator, history: PredictionHistory, since: int) -> ExpectedLoss | None:
    """Return the expected loss of the rows since a time in microseconds. None if there are no rows."""
    counts = history.since(since)
    if not counts.any():
        return None
    figures, name = estimator.figures, StatisticName.LOSS
    change = figures.change(name, counts, estimator.autocorrelation_rows)
    reference = figures.reference(name)
    return ExpectedLoss(reference + change.value, change.error or 0.0, reference, int(counts.sum()))
