"""The counts of a window for the slices that the spec names: labelled rows, as the task's group sketch counts them.

Losses are counted by parts of the window, which form the blocks of evidence about a slice. Counts by bucket would need
as much memory as all others together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.slices import Slices
from rondo.contracts.tasks.registry import task_named
from rondo.monitor.evidence.block_figures.group_gaps import RATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.monitor.evidence.reference import Reference


MOST_PARTS = 64


def buckets_of_part(buckets: int) -> int:
    """Return the number of buckets in a part of a window. It divides the number of buckets in the window."""
    least = -(-buckets // MOST_PARTS)
    return next(each for each in range(least, buckets + 1) if buckets % each == 0) if buckets else 1


class SlicedRows(NamedTuple):
    """Labelled rows by the code of their slices and the index of their bucket, shape `[rows]` each.

    A window has `buckets_of_window` buckets.
    """

    codes: NDArray[np.int64]
    buckets: NDArray[np.int64]
    buckets_of_window: int


@dataclass(frozen=True, eq=False)
class SliceCounts:
    """Counts of S slices: `outcomes` of the group sketch, shape `[S, size]`, and rows and sums of losses by part.

    `loss_rows` and `loss_sums` have the shape `[S, parts]`. `rate_sums` are the same rows with a rate's 1, shape
    `[S, rates, parts]`, with the rates of `Reference.rates`. A window that an earlier release has begun has no rates.
    """

    slices: Slices
    outcomes: NDArray[np.int64]
    loss_rows: NDArray[np.int64]
    loss_sums: NDArray[np.float64]
    rate_sums: NDArray[np.int64]

    @classmethod
    def empty(cls, reference: Reference, buckets: int) -> SliceCounts:
        """Return the counts of no rows, in a window of `buckets` buckets."""
        number, size = len(reference.profile.slices), task_named(reference.task.task).group_sketch(reference.task).size
        slices, parts = Slices.of(reference.profile.slices), buckets // buckets_of_part(buckets)
        losses = np.zeros((number, parts), np.int64), np.zeros((number, parts))
        rates = np.zeros((number, len(reference.rates), parts), np.int64)
        return cls(slices, np.zeros((number, size), np.int64), *losses, rates)

    @property
    def parts(self) -> int:
        """The number of parts in the window. A window that an earlier release has begun has a single part."""
        parts: int = self.loss_rows.shape[1]
        return parts

    def plus_labelled(
        self, task: FittedTask, rows: pa.Table, sliced: SlicedRows, losses: NDArray[np.float64], sign: int
    ) -> SliceCounts:
        """Count labelled rows, or remove them if `sign` is -1. `losses` have the shape `[rows]`, NaN if not known."""
        if not len(self.loss_rows) or not sliced.codes.any():
            return self
        sketch = task_named(task.task).group_sketch(task)
        outcomes, loss_rows, loss_sums = self.outcomes.copy(), self.loss_rows.copy(), self.loss_sums.copy()
        part = sliced.buckets * self.parts // sliced.buckets_of_window
        rate_sums, rates = self.rate_sums.copy(), self._rates(task, rows)
        for number, mine in self.slices.members(sliced.codes):
            known = mine & np.isfinite(losses)
            outcomes[number] += sign * sketch.count(rows.filter(pa.array(mine)))
            loss_rows[number] += sign * np.bincount(part[known], minlength=self.parts)
            loss_sums[number] += sign * np.bincount(part[known], losses[known], minlength=self.parts)
            for at, flags in enumerate(rates):
                rate_sums[number, at] += sign * np.bincount(part[known & flags], minlength=self.parts)
        return replace(self, outcomes=outcomes, loss_rows=loss_rows, loss_sums=loss_sums, rate_sums=rate_sums)

    def _rates(self, task: FittedTask, rows: pa.Table) -> list[NDArray[np.bool_]]:
        """Return which rows count as 1 in each rate, shape `[rows]` each."""
        if not self.rate_sums.shape[1]:
            return []
        found = task_named(task.task).row_figures(task, rows)
        return [np.nan_to_num(found[name]) > 0 for name in found if name in RATES]

    def plus(self, other: SliceCounts) -> SliceCounts:
        """Return the counts of both. They belong to the same version.

        If their numbers of parts differ, the sum has one part.
        """
        same = self.rate_sums.shape[1] == other.rate_sums.shape[1]
        mine, theirs = (self, other) if self.parts == other.parts else (self._in_one_part(), other._in_one_part())
        return replace(
            self,
            outcomes=self.outcomes + other.outcomes,
            loss_rows=mine.loss_rows + theirs.loss_rows,
            loss_sums=mine.loss_sums + theirs.loss_sums,
            rate_sums=mine.rate_sums + theirs.rate_sums if same else mine.rate_sums[:, :0],
        )

    def _in_one_part(self) -> SliceCounts:
        rows, sums = (each.sum(axis=1, keepdims=True) for each in (self.loss_rows, self.loss_sums))
        return replace(self, loss_rows=rows, loss_sums=sums, rate_sums=self.rate_sums.sum(axis=2, keepdims=True))

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, SliceCounts)
            and self.slices == other.slices
            and np.array_equal(self.outcomes, other.outcomes)
            and np.array_equal(self.loss_rows, other.loss_rows)
            and np.array_equal(self.loss_sums, other.loss_sums)
            and np.array_equal(self.rate_sums, other.rate_sums)
        )

    def __hash__(self) -> int:
        return hash(self.slices)
