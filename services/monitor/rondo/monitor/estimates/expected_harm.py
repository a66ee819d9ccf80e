"""Whether a change of the inputs is likely to do harm, by the loss that is to be expected since then.

That shifts of the inputs differ by whether they do harm, and only those that do ask for an action: Podkopaev and
Ramdas, "Tracking the risk of a deployed model and detecting harmful distribution shifts", ICLR 2022. They need
outcomes. Here the loss is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.estimates.reliance import SLIGHT

if TYPE_CHECKING:
    from rondo.monitor.estimates.estimator import Estimator
    from rondo.monitor.estimates.prediction_history import PredictionHistory
    from rondo.monitor.estimates.reliance import Reliance

Harm = Literal["likely", "none", "uncertain"]
# An estimate is looked at where a change of the inputs is certain already, so few are looked at.
_CERTAIN_ERRORS = 3.0
_POSSIBLE_ERRORS = 2.0
FEWEST_ROWS = 100


@dataclass(frozen=True)
class ExpectedLoss:
    """The loss to be expected of `rows` rows, beside that of the holdout, and the standard error of the difference."""

    value: float
    error: float
    reference: float
    rows: int

    @property
    def harm(self) -> Harm:
        """Whether the loss is likely to have risen by more than chance. None if even twice the error is slight."""
        rise = self.value - self.reference
        if self.rows >= FEWEST_ROWS and rise > _CERTAIN_ERRORS * self.error:
            return "likely"
        return "none" if rise + _POSSIBLE_ERRORS * self.error <= SLIGHT * self.reference else "uncertain"


@dataclass(frozen=True)
class ExpectedHarm:
    """What speaks for and against harm by a change: the `loss` to be expected since, and the `reliance` of the model.

    Each is None where it is not known.
    """

    loss: ExpectedLoss | None = None
    reliance: Reliance | None = None

    @property
    def harm(self) -> Harm | None:
        """Whether the change is likely to do harm. None where nothing is known.

        An estimated loss that has risen counts more than a slight reliance: the model may be surer within the values of
        the training than beyond them.
        """
        estimated = self.loss.harm if self.loss else None
        if estimated != "likely" and self.reliance and self.reliance.is_slight:
            return "none"
        return estimated


def expected_loss(estimator: Estimator, history: PredictionHistory, since: int) -> ExpectedLoss | None:
    """Return the loss to be expected of the rows since a time in microseconds. None without a row."""
    counts = history.since(since)
    if not counts.any():
        return None
    figures, name = estimator.figures, StatisticName.LOSS
    change = figures.change(name, counts, estimator.autocorrelation_rows)
    reference = figures.reference(name)
    return ExpectedLoss(reference + change.value, change.error or 0.0, reference, int(counts.sum()))
