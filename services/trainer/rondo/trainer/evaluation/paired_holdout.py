"""The difference of the losses of candidate and champion on the same rows of the holdout, by blocks of event time.

Rows that are close in time are correlated, so the standard error of a mean over rows is too small. The unit of the
evidence of a rollout is the mean over a block of time, and blocks are long enough to be about independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED
from rondo.contracts.training_evidence import PairedHoldout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask

BLOCK_SECONDS = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
FEWEST_BLOCKS = 20
# It is above 1, because the variance of few blocks has a relative error of about a fifth.
_MOST_DESIGN_EFFECT = 1.25
_DEVIATIONS = 6
# The share of the champion's skill that a candidate may lose without being worse.
_MARGIN = 0.1


def paired_holdout(
    fitted: FittedTask, times: NDArray[np.float64], candidate: pa.Table, champion: pa.Table
) -> PairedHoldout | None:
    """Return the differences of two models. None if fewer than two rows have both losses, or the losses never differ.

    The tables have the columns of `contracts.tasks.sketches` for the same rows, shape `[rows]`. `times` are their event
    times in seconds. `fitted` is the champion's task.
    """
    task = task_named(fitted.task)
    largest = task.largest_loss(fitted, champion)
    losses = [task.losses(fitted, each, largest) for each in (candidate, champion, _constant(champion))]
    known = np.isfinite(losses[0]) & np.isfinite(losses[1])
    if known.sum() <= 1:
        return None
    differences, seconds = (losses[0] - losses[1])[known], times[known]
    length, means = independent_blocks(seconds, differences)
    variance = float(means.var())
    if not variance:
        return None
    skill = float(np.nanmean(losses[2][known]) - losses[1][known].mean())
    return PairedHoldout(
        rows=int(known.sum()),
        block_seconds=length,
        blocks=len(means),
        variance=variance,
        bound=min(1.0, _DEVIATIONS * variance**0.5),
        difference=float(differences.mean()),
        margin=max(0.0, _MARGIN * skill),
        disagreement=_disagreement(candidate, champion),
        loss_variance=float(losses[1][known].var()),
    )


def independent_blocks(
    seconds: NDArray[np.float64], differences: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the shortest length in seconds whose blocks are about independent, and their means.

    Blocks are about independent if means of longer blocks vary as those of independent blocks would. The correlation of
    neighbouring blocks does not suffice: the minutes of an hour may share little, and the hours a lot. A length with
    which most blocks have no neighbour is not used: if all times are dates, blocks of a minute and of an hour are the
    same, and would seem independent. If no length passes, the longest one with `FEWEST_BLOCKS` blocks is returned, or
    the shortest if none has that many.
    """
    fitting = [length for length in BLOCK_SECONDS if _has_neighbours(seconds, length)] or [BLOCK_SECONDS[-1]]
    means = {length: block_means(seconds, differences, length) for length in fitting}
    enough = [length for length in fitting if len(means[length]) >= FEWEST_BLOCKS]
    for length in enough:
        longer = [each for each in enough if each > length]
        if all(_design_effect(means[length], means[each]) <= _MOST_DESIGN_EFFECT for each in longer):
            return length, means[length]
    return fitting[0], means[fitting[0]]


def _has_neighbours(seconds: NDArray[np.float64], length: float) -> bool:
    """Return whether most blocks with rows are adjacent to the next one. True for a single block."""
    gaps = np.diff(np.unique(np.floor(seconds / length)))
    return not gaps.size or float(np.median(gaps)) <= 1


def block_means(seconds: NDArray[np.float64], differences: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return the mean of each block that has rows, in order of time."""
    _, places = np.unique(np.floor(seconds / length), return_inverse=True)
    return np.asarray(np.bincount(places, differences) / np.bincount(places))


def _design_effect(means: NDArray[np.float64], longer: NDArray[np.float64]) -> float:
    """Return the variance of longer blocks' means relative to independent blocks (Kish, "Survey sampling", 1965)."""
    blocks = len(means) / len(longer)
    return float(longer.var() * blocks / max(means.var(), np.finfo(float).tiny))


def _constant(rows: pa.Table) -> pa.Table:
    """Return the rows with the best constant prediction: the mean outcome, or the most frequent class."""
    outcome = rows.column(OBSERVED.names[0]) if rows.column(OBSERVED.names[0]).null_count < rows.num_rows else None
    if outcome is not None:
        column, value = "number", pa.scalar(pc.mean(outcome).as_py(), pa.float32())
    else:
        counts = pc.value_counts(rows.column("outcome_label").drop_null())
        commonest = counts.field("values")[int(np.argmax(counts.field("counts")))]
        column, value = "label", commonest.cast(pa.string())
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, column, pa.repeat(value, rows.num_rows))


def _disagreement(candidate: pa.Table, champion: pa.Table) -> float | None:
    ours, theirs = (each.column("number").to_numpy(zero_copy_only=False) for each in (candidate, champion))
    both = np.isfinite(ours.astype(np.float64)) & np.isfinite(theirs.astype(np.float64))
    if not both.any() or min(ours[both].min(), theirs[both].min()) < 0 or max(ours[both].max(), theirs[both].max()) > 1:
        return None
    return float(np.abs(ours[both].astype(np.float64) - theirs[both]).mean())
