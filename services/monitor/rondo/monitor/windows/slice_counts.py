"""What a window counts of the slices that the spec names: labelled rows, as the task's group sketch counts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.slices import Slices
from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.monitor.evidence.reference import Reference


@dataclass(frozen=True, eq=False)
class SliceCounts:
    """Counts of S slices: `outcomes` of the group sketch, shape `[S, size]`, rows and sums of losses, shape `[S]`."""

    slices: Slices
    outcomes: NDArray[np.int64]
    loss_rows: NDArray[np.int64]
    loss_sums: NDArray[np.float64]

    @classmethod
    def empty(cls, reference: Reference) -> SliceCounts:
        number, size = len(reference.profile.slices), task_named(reference.task.task).group_sketch(reference.task).size
        slices = Slices.of(reference.profile.slices)
        return cls(slices, np.zeros((number, size), np.int64), np.zeros(number, np.int64), np.zeros(number))

    def plus_labelled(
        self, task: FittedTask, rows: pa.Table, codes: NDArray[np.int64], losses: NDArray[np.float64], sign: int
    ) -> SliceCounts:
        """Count labelled rows, or remove them where `sign` is -1; `losses` are NaN where not known, shape `[rows]`."""
        if not len(self.loss_rows) or not codes.any():
            return self
        sketch = task_named(task.task).group_sketch(task)
        outcomes, loss_rows, loss_sums = self.outcomes.copy(), self.loss_rows.copy(), self.loss_sums.copy()
        for number, mine in self.slices.members(codes):
            known = losses[mine & np.isfinite(losses)]
            outcomes[number] += sign * sketch.count(rows.filter(pa.array(mine)))
            loss_rows[number] += sign * known.size
            loss_sums[number] += sign * known.sum()
        return replace(self, outcomes=outcomes, loss_rows=loss_rows, loss_sums=loss_sums)

    def plus(self, other: SliceCounts) -> SliceCounts:
        """Return the counts of both, of the same version."""
        return replace(
            self,
            outcomes=self.outcomes + other.outcomes,
            loss_rows=self.loss_rows + other.loss_rows,
            loss_sums=self.loss_sums + other.loss_sums,
        )

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
        """Hash by what is cheap."""
        return hash(self.slices)
