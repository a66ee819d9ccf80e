"""When labelled rows have grown enough to fit again, and whether a fit pays where costs are given.

That a training has to pay for itself is the criterion of Mahadevan and Mathioudakis ("Cost-effective retraining of
machine learning models", CARA, arXiv 2310.04216) and of Regol et al. ("When to retrain a machine learning model",
UPF, ICML 2025, arXiv 2505.14903), which predicts losses of models to come. Here the gain of past fits
stands for it. That what a model of n rows loses beyond the unavoidable falls like 1 / n: Amari, Fujita and Shinomoto,
"Four types of learning curves", Neural Computation 4, 1992.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.trainer.adaptation.confirmation import rows_to_confirm

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

# With fewer rows the mean loss of a chunk says little.
LEAST_CHUNK = 90
# More rows make a comparison no surer in practice, and a suspicion would wait for them.
MOST_CHUNK = 20_000
GROWTH = 0.1
GAINED_NOTHING = "as fits before gained nothing"
"""Why the next training follows a larger share than `GROWTH`, for sentences."""


@dataclass(frozen=True)
class Costs:
    """What a training costs, and what one more unit of loss costs for one row, in the same currency."""

    training: float
    error: float

    @classmethod
    def of(cls, spec: ModelSpec) -> Costs | None:
        """Return the costs that a spec gives. None unless it gives both."""
        training, error = spec.retrain.training_cost, spec.retrain.error_cost
        return None if training is None or error is None else cls(training, error)


def chunk_rows(first: int) -> int:
    """Return the rows of a chunk, the unit of the record: a tenth of the `first` training's, within bounds."""
    return min(max(math.ceil(GROWTH * first), LEAST_CHUNK), MOST_CHUNK)


def rows_of_drop(first: int, features: int, rise: float | None, *, certain: bool) -> int:
    """Return the newly labelled rows with which a drop of the performance is looked into: a chunk, or fewer.

    A large model would wait long for a chunk after an abrupt change. Where the drop is `certain`, by evidence with the
    stated rate of false alarms, as many rows suffice as show its size: losses between 0 and 1 have a standard deviation
    of .5 at most, so that their mean over 1 / `rise`² rows is off by half of the rise. `rise` is that of the loss of a
    row, None where it is not known. A model of the rows since then needs some for each of the `features`.
    """
    chunk = chunk_rows(first)
    if not certain or rise is None or rise <= 0:
        return chunk
    return min(chunk, max(rows_to_confirm(features), math.ceil(1 / rise**2)))


def growth_needed(fitted: int, share: float = GROWTH) -> int:
    """Return the newly labelled rows with which to fit again: a share of the rows of the last fit."""
    return max(math.ceil(share * fitted), LEAST_CHUNK)


def rows_needed(fitted: int, share: float, first: int, again: int | None) -> int:
    """Return the newly labelled rows with which to train again: those of the growth, or fewer to look into a change.

    `again` are the new rows with which a change is looked into that was young or not confirmed. A chunk at least.
    """
    needed = growth_needed(fitted, share)
    return needed if again is None else min(needed, max(again, chunk_rows(first)))


def gain_of_growth(gain: float | None, loss: float | None, fitted: int, new: int) -> float:
    """Return how much less a row, at most, a fit to `new` more rows loses than what serves, fitted to `fitted` rows.

    `gain` is what past fits gained, and `loss` what the model that serves loses. None where it is not known. What a
    model of n rows loses beyond the unavoidable falls like 1 / n, and can't be more than its loss.
    """
    most = math.inf if loss is None else loss * new / (fitted + new)
    return most if gain is None else min(gain, most)


def pays(gain: float, rows: int, costs: Costs) -> bool:
    """Return whether a fit is worth its cost: `gain` is the fall of the loss, over as many rows."""
    return gain * rows * costs.error > costs.training


def change_pays(rise: float | None, fitted: int, new: int, costs: Costs) -> bool:
    """Return whether it is worth a training to look into a rise of the loss. One of unknown size always is.

    A model of the rows since the change undoes the rise at most. It is taken to serve for as many rows as the one
    before was fitted to.
    """
    return rise is None or pays(rise, max(fitted, new), costs)


def next_share(share: float, gain: float) -> float:
    """Return the share of growth after a fit: twice as much where it gained nothing. A harm alarm resets it."""
    return share if gain > 0 else min(2 * share, 1.0)
