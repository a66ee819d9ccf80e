"""Decides whether labelled rows have grown enough to fit again, and whether a fit is worth its cost.

That a training has to be worth its cost is the criterion of Mahadevan and Mathioudakis ("Cost-effective retraining of
machine learning models", CARA, arXiv 2310.04216) and of Regol et al. ("When to retrain a machine learning model",
UPF, ICML 2025, arXiv 2505.14903). The latter predict the losses of future models. Here the gain of past fits is the
prediction. The excess loss of a model of n rows, beyond the irreducible loss, falls like 1 / n (Amari, Fujita and
Shinomoto, "Four types of learning curves", Neural Computation 4, 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.trainer.adaptation.confirmation import rows_to_confirm

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

# The mean loss of fewer rows is too uncertain.
LEAST_CHUNK = 90
# More rows hardly improve a comparison, and would delay the check of a suspected change.
MOST_CHUNK = 20_000
GROWTH = 0.1
GAINED_NOTHING = "as fits before gained nothing"
"""The part of a sentence that explains why the next training waits for a larger growth than `GROWTH`."""


@dataclass(frozen=True)
class Costs:
    """The cost of a training, and the cost of one unit of loss for one row, in the same currency."""

    training: float
    error: float

    @classmethod
    def of(cls, spec: ModelSpec) -> Costs | None:
        """Return the costs of a spec. None unless it has both."""
        training, error = spec.retrain.training_cost, spec.retrain.error_cost
        return None if training is None or error is None else cls(training, error)


def chunk_rows(first: int) -> int:
    """Return the rows of a chunk, the unit of the record: a tenth of the `first` training's, within bounds."""
    return min(max(math.ceil(GROWTH * first), LEAST_CHUNK), MOST_CHUNK)


def rows_of_drop(first: int, features: int, rise: float | None, *, certain: bool) -> int:
    """Return the number of newly labelled rows from which a drop of the performance is investigated: a chunk, or fewer.

    A model of many rows would wait long for a chunk after an abrupt change. If the drop is `certain` (its evidence has
    the stated rate of false alarms), enough rows to measure its size suffice. Losses between 0 and 1 have a standard
    deviation of at most .5, so the standard error of their mean over 1 / `rise`² rows is at most half of the rise.
    `rise` is the rise of the loss per row, None where it is not known. A model of the rows since the drop needs some
    rows for each of the `features`.
    """
    chunk = chunk_rows(first)
    if not certain or rise is None or rise <= 0:
        return chunk
    return min(chunk, max(rows_to_confirm(features), math.ceil(1 / rise**2)))


def growth_needed(fitted: int, share: float = GROWTH) -> int:
    """Return the number of newly labelled rows from which to fit again: a share of the rows of the last fit."""
    return max(math.ceil(share * fitted), LEAST_CHUNK)


def rows_needed(fitted: int, share: float, first: int, again: int | None) -> int:
    """Return the number of newly labelled rows from which to train again: the growth, or fewer to check a change.

    `again` is the number of new rows from which a change is checked that had too few rows or was not confirmed. It
    counts as a chunk if it is smaller.
    """
    needed = growth_needed(fitted, share)
    return needed if again is None else min(needed, max(again, chunk_rows(first)))


def gain_of_growth(gain: float | None, loss: float | None, fitted: int, new: int) -> float:
    """Return an upper bound of the loss per row that a fit to `new` more rows saves.

    The served model is fitted to `fitted` rows and has the mean loss `loss`. `gain` is the mean gain of past fits.
    Either is None where it is not known. The excess loss of a model of n rows falls like 1 / n, and is at most its
    loss.
    """
    most = math.inf if loss is None else loss * new / (fitted + new)
    return most if gain is None else min(gain, most)


def pays(gain: float, rows: int, costs: Costs) -> bool:
    """Return whether a fit is worth its cost. `gain` is the loss per row that it saves, over `rows` rows."""
    return gain * rows * costs.error > costs.training


def change_pays(rise: float | None, fitted: int, new: int, costs: Costs) -> bool:
    """Return whether a rise of the loss is worth a training. True if its size is not known.

    A model of the rows since the change undoes the rise at most. It is assumed to serve as many rows as the previous
    model was fitted to.
    """
    return rise is None or pays(rise, max(fitted, new), costs)


def next_share(share: float, gain: float) -> float:
    """Return the share of growth after a fit: doubled if the fit gained nothing, at most 1.

    An alarm about the performance resets it.
    """
    return share if gain > 0 else min(2 * share, 1.0)
