"""Whether a change of the inputs is likely to do harm, by the loss that is to be expected since then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from rondo.monitor.estimates.estimator import Estimator
    from rondo.monitor.estimates.prediction_history import PredictionHistory

Harm = Literal["likely", "none", "uncertain"]
# An estimate is looked at where a change of the inputs is certain already, so few are looked at.
_CERTAIN_ERRORS = 3.0
_POSSIBLE_ERRORS = 2.0
# A loss that is higher by less than this share is no harm that a training would be worth.
_SLIGHT = 0.1
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
        """Whether the loss is likely to have risen by more than chance; none if even twice the error is slight."""
        rise = self.value - self.reference
        if self.rows >= FEWEST_ROWS and rise > _CERTAIN_ERRORS * self.error:
            return "likely"
        return "none" if rise + _POSSIBLE_ERRORS * self.error <= _SLIGHT * self.reference else "uncertain"


def expected_loss(estimator: Estimator, history: PredictionHistory, since: int) -> ExpectedLoss | None:
    """Return the loss to be expected of the rows since a time in microseconds; None without a row."""
    counts = history.since(since)
    if not counts.any():
        return None
    figures, name = estimator.figures, StatisticName.LOSS
    change = figures.change(name, counts, estimator.autocorrelation_rows)
    reference = figures.reference(name)
    return ExpectedLoss(reference + change.value, change.error or 0.0, reference, int(counts.sum()))
