"""Decisions about the trials of a search: whether a trial is pruned, and the best trial."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import EndedTrialState
from rondo.trainer.run import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.trainer.run import Trial

# With fewer complete trials none is pruned: a median of fewer is too uncertain (optuna's `MedianPruner` has the same).
_ENOUGH = 5


def is_pruned(values: Sequence[float | None], earlier: Sequence[Trial], *, higher_is_better: bool) -> bool:
    """Return whether a trial with these values of the first splits is pruned: it is worse than half of the others.

    Means over the same splits are compared, as in the median stopping rule (Golovin et al., "Google Vizier", KDD 2017,
    section 3.2.2). The best values of trials are not comparable, because later splits may be easier.
    """
    ours = mean(values)
    theirs = [mean(trial.values[: len(values)]) for trial in earlier if trial.state == EndedTrialState.COMPLETE]
    known = [value for value in theirs if value is not None]
    if ours is None or len(known) < _ENOUGH:
        return False
    return ours < median(known) if higher_is_better else ours > median(known)


def best_of(trials: Sequence[Trial], *, higher_is_better: bool) -> Trial | None:
    """Return the complete trial with the best value. The first of equal ones wins. None if no trial is complete."""
    found = [
        (trial.value, trial) for trial in trials if trial.state == EndedTrialState.COMPLETE and trial.value is not None
    ]
    if not found:
        return None
    sign = -1 if higher_is_better else 1
    return min(found, key=lambda pair: (sign * pair[0], pair[1].number))[1]
