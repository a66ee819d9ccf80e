"""The figures of slices in a window, and the gaps between groups.

They describe the window, and no decision depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.base import Value
from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.contracts.training_evidence import PerformanceFigure, SliceReference
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# In a group with fewer outcomes, chance moves a rate further than groups differ.
FEWEST_OUTCOMES = 30


class SliceFigures(Value):
    """The rows of a window where the feature `column` has a value. An empty `value` stands for a missing one.

    `rows` is None if the bins of a numeric feature do not show it. `loss` is the mean loss of the labelled rows, from 0
    to 1. `figures` are their metrics and rates by name.
    """

    column: str
    value: str
    rows: int | None
    labelled_rows: int
    loss: float | None
    figures: dict[str, float]


class GroupGap(Value):
    """The largest difference of a figure between two groups of `column`, each with 30 outcomes or more.

    `reference` is the difference of the same two groups on the holdout.
    """

    column: str
    figure: str
    gap: float
    highest: str
    lowest: str
    reference: float | None = None


def slice_figures(window: WindowCounts, reference: Reference) -> tuple[SliceFigures, ...]:
    """Return the figures of each slice of the reference, in its order."""
    sketch = task_named(window.task.task).group_sketch(window.task)
    counts = window.slices
    return tuple(
        SliceFigures(
            column=each.column,
            value=each.value,
            rows=_rows(each, window, reference),
            labelled_rows=sketch.labelled(counts.outcomes[number]),
            loss=float(counts.loss_sums[number].sum() / rows)
            if (rows := int(counts.loss_rows[number].sum()))
            else None,
            figures={name: figure.value for name, figure in sketch.figures(counts.outcomes[number]).items()},
        )
        for number, each in enumerate(reference.profile.slices)
    )


def group_gaps(slices: Iterable[SliceFigures], reference: Reference) -> tuple[GroupGap, ...]:
    """Return the gap of each figure that at least two groups of a column have."""
    known = {(each.column, each.value): each.performance for each in reference.profile.slices}
    groups: dict[tuple[str, str], dict[str, float]] = {}
    for each in slices:
        if each.labelled_rows >= FEWEST_OUTCOMES:
            for name, value in each.figures.items():
                groups.setdefault((each.column, name), {})[each.value] = value
    return tuple(_gaps(groups, known))


def _gaps(
    groups: dict[tuple[str, str], dict[str, float]], known: dict[tuple[str, str], dict[str, PerformanceFigure]]
) -> Iterator[GroupGap]:
    for (column, name), values in groups.items():
        if len(values) > 1:
            highest, lowest = max(values, key=lambda v: values[v]), min(values, key=lambda v: values[v])
            before = [known[column, value].get(name) for value in (highest, lowest)]
            expected = before[0].value - before[1].value if before[0] and before[1] else None
            yield GroupGap(
                column=column,
                figure=name,
                gap=values[highest] - values[lowest],
                highest=highest,
                lowest=lowest,
                reference=expected,
            )


def _rows(slice_: SliceReference, window: WindowCounts, reference: Reference) -> int | None:
    """Return the rows of a slice, from the bins of its feature. None if the slice's bin has other values, too."""
    column = next((each for each in reference.binning.columns if each.name == slice_.column), None)
    if column is None:
        return None
    counts = column.of(window.bins)
    if not slice_.value:
        return int(counts[-1])
    if column.categories is not None:
        listed = column.categories.to_pylist()
        return int(counts[listed.index(slice_.value)]) if slice_.value in listed else None
    assert column.edges is not None  # noqa: S101 - else it has categories
    value = np.float32(slice_.value)
    alone = np.isin([value, np.nextafter(value, np.float32(np.inf))], column.edges).all()
    return int(counts[column.bins_of(np.array([value], np.float32))[0]]) if alone else None
