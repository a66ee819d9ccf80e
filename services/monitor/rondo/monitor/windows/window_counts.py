"""The state of a window: counts, not rows. Counts of disjoint sets of rows add up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.windows import label_join

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning
    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.tasks.sketches import Figure, PerformanceSketch
    from rondo.monitor.windows.tumbling import TumblingWindows

_COUNTED = (*PREDICTED, *OBSERVED)


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """Counts of the rows of one version, whose task is `task`.

    `bins` are the rows by bin of every column (see `binning`); `outcomes` are the labelled rows, as the task's sketch
    counts them.
    """

    task: FittedTask
    rows: int
    bins: NDArray[np.int64]
    outcomes: NDArray[np.int64]

    @classmethod
    def empty(cls, task: FittedTask, size: int) -> WindowCounts:
        """Return the counts of no rows, in `size` bins."""
        return cls(task, 0, np.zeros(size, np.int64), np.zeros(_sketch(task).size, np.int64))

    @property
    def labelled_rows(self) -> int:
        """The number of rows with an outcome."""
        return _sketch(self.task).labelled(self.outcomes)

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The metrics of the labelled rows; without those that are not defined on them."""
        return _sketch(self.task).figures(self.outcomes)

    def with_rows(self, rows: int, bins: NDArray[np.int64]) -> WindowCounts:
        return replace(self, rows=self.rows + rows, bins=self.bins + bins)

    def with_labelled(self, rows: pa.Table, *, removed: bool = False) -> WindowCounts:
        """Count labelled rows, or remove them. `rows` has the columns of `PREDICTED` and `OBSERVED`."""
        counts = _sketch(self.task).count(rows)
        return replace(self, outcomes=self.outcomes - counts if removed else self.outcomes + counts)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, WindowCounts)
            and (self.task, self.rows) == (other.task, other.rows)
            and np.array_equal(self.bins, other.bins)
            and np.array_equal(self.outcomes, other.outcomes)
        )

    def __hash__(self) -> int:
        """Hash by what is cheap."""
        return hash((self.rows, self.bins.size))


# Open windows by version and start.
OpenWindows = dict[tuple[int, int], WindowCounts]


def count_rows(
    windows: OpenWindows, version: int, rows: pa.Table, starts: NDArray[np.int64], binning: Binning, task: FittedTask
) -> None:
    """Count rows of a version into `windows`, by the start of each row's window."""
    distinct = np.unique(starts)
    for start in distinct:
        part = rows if distinct.size == 1 else rows.filter(pa.array(starts == start))
        key = (version, int(start))
        counts = windows.get(key) or WindowCounts.empty(task, binning.size)
        windows[key] = counts.with_rows(part.num_rows, binning.count(part))


def count_labels(windows: OpenWindows, labelled: pa.Table, tumbling: TumblingWindows, *, removed: bool = False) -> None:
    """Count labelled predictions into their open windows, each by its version's sketch, or remove them."""
    for key, mask in _masks(windows, labelled, tumbling).items():
        if mask.any():
            windows[key] = windows[key].with_labelled(_counted(labelled, mask), removed=removed)


def in_open_windows(windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows) -> NDArray[np.bool_]:
    """Return which predictions belong to an open window."""
    masks = list(_masks(windows, table, tumbling).values())
    return np.logical_or.reduce(masks) if masks else np.zeros(table.num_rows, np.bool_)


def _sketch(task: FittedTask) -> PerformanceSketch:
    return task_named(task.task).sketch(task)


def _counted(labelled: pa.Table, mask: NDArray[np.bool_]) -> pa.Table:
    """Return the masked rows with all columns that a sketch counts."""
    columns = labelled.select([field.name for field in _COUNTED if field.name in labelled.column_names])
    rows = columns if mask.all() else columns.filter(pa.array(mask))
    return pa.table([label_join.values(rows, field) for field in _COUNTED], schema=pa.schema(_COUNTED))


def _masks(
    windows: OpenWindows, table: pa.Table, tumbling: TumblingWindows
) -> dict[tuple[int, int], NDArray[np.bool_]]:
    starts = tumbling.starts(table.column("event_time").to_numpy())
    versions = table.column("version").to_numpy()
    return {key: (versions == key[0]) & (starts == key[1]) for key in windows}
