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

    `loss_rows` and `loss_sums` have the shape `[S, parts]`.
    """

    slices: Slices
    outcomes: NDArray[np.int64]
    loss_rows: NDArray[np.int64]
    loss_sums: NDArray[np.float64]

    @classmethod
    def empty(cls, reference: Reference, buckets: int) -> SliceCounts:
        """Return the counts of no rows, in a window of `buckets` buckets."""
        number, size = len(reference.profile.slices), task_named(reference.task.task).group_sketch(reference.task).size
        slices, parts = Slices.of(reference.profile.slices), buckets // buckets_of_part(buckets)
        losses = np.zeros((number, parts), np.int64), np.zeros((number, parts))
        return cls(slices, np.zeros((number, size), np.int64), *losses)

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
        for number, mine in self.slices.members(sliced.codes):
            known = mine & np.isfinite(losses)
            outcomes[number] += sign * sketch.count(rows.filter(pa.array(mine)))
            loss_rows[number] += sign * np.bincount(part[known], minlength=self.parts)
            loss_sums[number] += sign * np.bincount(part[known], losses[known], minlength=self.parts)
        return replace(self, outcomes=outcomes, loss_rows=loss_rows, loss_sums=loss_sums)

    def plus(self, other: SliceCounts) -> SliceCounts:
        """Return the counts of both. They belong to the same version.

        If their numbers of parts differ, the sum has one part.
        """
        mine, theirs = (self, other) if self.parts == other.parts else (self._in_one_part(), other._in_one_part())
        return replace(
            self,
            outcomes=self.outcomes + other.outcomes,
            loss_rows=mine.loss_rows + theirs.loss_rows,
            loss_sums=mine.loss_sums + theirs.loss_sums,
        )

    def _in_one_part(self) -> SliceCounts:
        rows, sums = (each.sum(axis=1, keepdims=True) for each in (self.loss_rows, self.loss_sums))
        return replace(self, loss_rows=rows, loss_sums=sums)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, SliceCounts)
            and self.slices == other.slices
            and np.array_equal(self.outcomes, other.outcomes)
            and np.array_equal(self.loss_rows, other.loss_rows)
            and np.array_equal(self.loss_sums, other.loss_sums)
        )

    def __hash__(self) -> int:
        return hash(self.slices)
