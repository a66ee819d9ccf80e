"""Begins the tests of columns, slices and losses from the reference of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.evidence.block_length import FEWEST_BLOCKS, shortest_of
from rondo.monitor.evidence.component_sums import LOSS, SLICES, Component, places_of, row_range, watched_components
from rondo.monitor.evidence.component_tests.watched import Watched, slice_key
from rondo.monitor.evidence.stretches import Learning, Stretches, staged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import ReferenceBlocks, SliceReference
    from rondo.monitor.evidence.component_sums import Group, Watchable

# The trainer rounds the means of a reference to nine decimals.
_WHOLE = 1e-4


def tests_of_slices(
    digest: str, slices: Sequence[SliceReference], of_row: NDArray[np.float64], *, run_length: bool
) -> list[Watched]:
    """Return the watched losses of the slices that have a reference of losses.

    `of_row` is the range of a row's losses.
    """
    watched: list[Watched] = []
    for each in slices:
        if each.loss is None or not each.loss.means:
            continue
        component = Component(SLICES, each.column, LOSS, 0, each.value)
        means = np.array([each.loss.means])
        stretches = Stretches(each.loss.rows, each.loss.autocorrelation_rows, means, of_row)
        seed = f"{digest}/{slice_key(each.column, each.value)}"
        watched += begun_tests(seed, [((component,), stretches)], one_sided=True, run_length=run_length)
    return watched


def range_of_losses(rows: int, means: Sequence[float]) -> NDArray[np.float64]:
    """Return the range 1 for losses that are 0 or 1, and 0 for others.

    The kind follows from the means of stretches of `rows` rows. The means of other losses are on no grid, and a random
    part as large as their range would be more than they vary by.
    """
    sums = np.array(means) * rows
    return np.full(1, float(np.abs(sums - np.rint(sums)).max(initial=0.0) < _WHOLE))


def tests_of_columns(
    digest: str, group: Group, profiles: Mapping[str, Watchable], blocks: ReferenceBlocks | None, *, run_length: bool
) -> list[Watched]:
    if blocks is None:
        return []
    parts, by_column = [], {name: watched_components(each, blocks.columns.get(name)) for name, each in profiles.items()}
    places = places_of([each.names for each in by_column.values()])
    for (column, watched), at in zip(by_column.items(), places, strict=True):
        names, reference = watched.names, blocks.columns.get(column)
        found = tuple(Component(group, column, name, place) for name, place in zip(names, at, strict=True))
        if reference and set(names) <= reference.means.keys():
            means = np.array([reference.means[name] for name in names])
            if means.shape[1]:
                within, of_row = reference.autocorrelation_rows, row_range(profiles[column], watched)
                parts.append((found, Stretches(blocks.rows, within, means, of_row)))
    return begun_tests(f"{digest}/{group}", parts, run_length=run_length)


def begun_tests(
    seed: str, parts: Sequence[tuple[tuple[Component, ...], Stretches]], *, one_sided: bool = False, run_length: bool
) -> list[Watched]:
    """Return the tests of columns with long enough references, one for each length of blocks, and the other columns."""
    by_block: dict[int, list[tuple[tuple[Component, ...], Stretches]]] = {}
    watched: list[Watched] = []
    for names, stretches in parts:
        block = stretches.block(shortest_of(stretches.total))
        if stretches.total < FEWEST_BLOCKS * block:
            learning = Learning.of(f"{seed}/{names[0].column}", stretches, one_sided=one_sided, run_length=run_length)
            watched.append(Watched(names, learning))
        else:
            by_block.setdefault(block, []).append((names, stretches))
    for block, members in by_block.items():
        names = tuple(each for found, _ in members for each in found)
        test = staged(
            f"{seed}/{block}", [stretches for _, stretches in members], block, one_sided=one_sided,
            run_length=run_length,
        )  # fmt: skip
        watched.append(Watched(names, test))
    return watched
