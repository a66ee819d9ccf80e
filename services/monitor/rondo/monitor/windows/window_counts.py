"""The state of a window: counts, not rows. Counts of disjoint sets of rows are additive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.components import in_units
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.windows import label_join
from rondo.monitor.windows.losses_by_prediction import LossesByPrediction
from rondo.monitor.windows.slice_counts import SliceCounts, SlicedRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.tasks.sketches import Figure, PerformanceSketch
    from rondo.monitor.evidence.open_buckets import BucketedRows
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.tumbling import TumblingWindows

_COUNTED = (*PREDICTED, *OBSERVED)


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """Counts of the rows of one version. `task` is the task of the version.

    `bins` are the rows by bin of every column (see `binning`). `outcomes` are the labelled rows, as the task's sketch
    counts them. `loss_rows` is their number by bucket. `loss_sums` are the sums of the components of evidence about the
    performance, shape `[buckets, components]`: losses and, if the reference has them, outcomes outside of the interval,
    and the amounts by which outcomes are above and below the prediction. `largest` is the error that counts as a loss
    of 1, if the task has no natural bound. `slices` are the counts of the slices, and `predicted` are the losses by
    prediction.
    """

    task: FittedTask
    rows: int
    bins: NDArray[np.int64]
    outcomes: NDArray[np.int64]
    loss_rows: NDArray[np.int64]
    loss_sums: NDArray[np.float64]
    slices: SliceCounts
    predicted: LossesByPrediction
    largest: float | None = None

    @classmethod
    def empty(cls, reference: Reference, buckets: int) -> WindowCounts:
        """Return the counts of no rows, in `buckets` buckets."""
        outcomes = np.zeros(_sketch(reference.task).size, np.int64)
        losses = np.zeros(buckets, np.int64), np.zeros((buckets, reference.loss_components))
        bins = np.zeros(reference.binning.size, np.int64)
        slices = SliceCounts.empty(reference, buckets)
        predicted = LossesByPrediction.empty(reference)
        return cls(reference.task, 0, bins, outcomes, *losses, slices, predicted, reference.largest_loss)

    @property
    def labelled_rows(self) -> int:
        """The number of rows with an outcome."""
        return _sketch(self.task).labelled(self.outcomes)

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The metrics of the labelled rows. Metrics that are not defined on them are left out."""
        return _sketch(self.task).figures(self.outcomes)

    def with_rows(self, rows: int, bins: NDArray[np.int64]) -> WindowCounts:
        return replace(self, rows=self.rows + rows, bins=self.bins + bins)

    def plus(self, other: WindowCounts) -> WindowCounts:
        """Return the counts of both. They belong to the same version."""
        return replace(
            self,
            rows=self.rows + other.rows,
            bins=self.bins + other.bins,
            outcomes=self.outcomes + other.outcomes,
            loss_rows=self.loss_rows + other.loss_rows,
            loss_sums=self.loss_sums + other.loss_sums,
            slices=self.slices.plus(other.slices),
            predicted=self.predicted.plus(other.predicted),
        )

    def with_labelled(
        self, rows: pa.Table, buckets: NDArray[np.int64], slices: NDArray[np.int64] | None = None, *,
        removed: bool = False,
    ) -> WindowCounts:  # fmt: skip
        """Count labelled rows, or remove them, by the index of each row's bucket and the code of its slices.

        `rows` has the columns of `PREDICTED` and `OBSERVED`.
        """
        sign, size = -1 if removed else 1, len(self.loss_rows)
        losses, *others = self._losses(rows)
        known = np.isfinite([losses, *others]).all(axis=0)
        sliced = None if slices is None else SlicedRows(slices, buckets, size)
        sums = [np.bincount(buckets[known], each[known], minlength=size) for each in (losses, *others)]
        return replace(
            self,
            outcomes=self.outcomes + sign * _sketch(self.task).count(rows),
            loss_rows=self.loss_rows + sign * np.bincount(buckets[known], minlength=size),
            loss_sums=self.loss_sums + sign * np.stack(sums, axis=1),
            predicted=self.predicted.plus_labelled(rows, losses, sign),
            slices=self.slices.plus_labelled(self.task, rows, sliced, losses, sign) if sliced else self.slices,
        )

    def _losses(self, rows: pa.Table) -> list[NDArray[np.float64]]:
        """Return the columns of `loss_sums`, shape `[rows]` each."""
        task = task_named(self.task.task)
        # In units the sums are exact, so subtracting a loss restores the former sum.
        found = [in_units(task.losses(self.task, rows, self.largest))]
        # One more component is for intervals, and two more are for the bias.
        others = self.loss_sums.shape[1] - 1
        if others % 2 and (uncovered := task.uncovered(self.task, rows)) is not None:
            found.append(uncovered)
        if others > 1 and (bias := task.bias(self.task, rows, self.largest)) is not None:
            bias = in_units(bias)
            found += [bias, -bias]
        return found

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, WindowCounts)
            and (self.task, self.rows) == (other.task, other.rows)
            and np.array_equal(self.bins, other.bins)
            and np.array_equal(self.outcomes, other.outcomes)
            and np.array_equal(self.loss_rows, other.loss_rows)
            and np.array_equal(self.loss_sums, other.loss_sums)
            and self.slices == other.slices
            and self.predicted == other.predicted
        )

    def __hash__(self) -> int:
        return hash((self.rows, self.bins.size))


# The keys are version and start.
OpenWindows = dict[tuple[int, int], WindowCounts]


def count_rows(
    windows: OpenWindows, version: int, reference: Reference, tumbling: TumblingWindows, rows: BucketedRows
) -> None:
    """Count rows of a version into `windows`."""
    starts = tumbling.starts(rows.starts)
    bounds = [*np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1)).tolist(), len(starts)]
    for first, end in pairwise(bounds):
        key = (version, int(starts[first]))
        counts = windows.get(key) or WindowCounts.empty(reference, tumbling.buckets)
        windows[key] = counts.with_rows(int(rows.rows[first:end].sum()), rows.between(first, end))


def count_labels(windows: OpenWindows, labelled: pa.Table, tumbling: TumblingWindows, *, removed: bool = False) -> None:
    """Count labelled predictions into their open windows, each by its version's sketch, or remove them."""
    for key, mask in _masks(windows, labelled, tumbling).items():
        if mask.any():
            rows = labelled if mask.all() else labelled.filter(pa.array(mask))
            buckets = tumbling.bucket_numbers(rows.column("event_time").to_numpy())
            slices = label_join.slice_codes(rows)
            windows[key] = windows[key].with_labelled(_counted(rows), buckets, slices, removed=removed)


def in_open_windows(windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows) -> NDArray[np.bool_]:
    """Return which predictions belong to an open window."""
    masks = list(_masks(windows, table, tumbling).values())
    return np.logical_or.reduce(masks) if masks else np.zeros(table.num_rows, np.bool_)


def _sketch(task: FittedTask) -> PerformanceSketch:
    return task_named(task.task).sketch(task)


def _counted(labelled: pa.Table) -> pa.Table:
    """Return rows with all columns that a sketch counts."""
    return pa.table([label_join.values(labelled, field) for field in _COUNTED], schema=pa.schema(_COUNTED))


def _masks(
    windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows
) -> dict[tuple[int, int], NDArray[np.bool_]]:
    starts = tumbling.starts(table.column("event_time").to_numpy())
    versions = table.column("version").to_numpy()
    return {key: (versions == key[0]) & (starts == key[1]) for key in windows}
