"""What is decided of the trials of a search: whether one ends early, and which is the best."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from rondo.trainer.run import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.trainer.run import Trial

# With fewer complete trials none is pruned: a median of less says little (the default of optuna's `MedianPruner`).
_ENOUGH = 5


def is_pruned(values: Sequence[float | None], earlier: Sequence[Trial], *, higher_is_better: bool) -> bool:
    """Return whether a trial with these values of the first splits ends: it is worse than half of the others there.

    Compared are means over the same splits, as in the median stopping rule (Golovin et al., "Google Vizier", KDD 2017,
    section 3.2.2): later splits may be easier, so the best value of a trial says nothing.
    """
    ours = mean(values)
    theirs = [mean(trial.values[: len(values)]) for trial in earlier if trial.state == "complete"]
    known = [value for value in theirs if value is not None]
    if ours is None or len(known) < _ENOUGH:
        return False
    return ours < median(known) if higher_is_better else ours > median(known)


def best_of(trials: Sequence[Trial], *, higher_is_better: bool) -> Trial | None:
    """Return the complete trial with the best value, of equal ones the first. None if no trial is complete."""
    found = [(trial.value, trial) for trial in trials if trial.state == "complete" and trial.value is not None]
    if not found:
        return None
    sign = -1 if higher_is_better else 1
    return min(found, key=lambda pair: (sign * pair[0], pair[1].number))[1]
