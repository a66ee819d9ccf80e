"""Evidence that the gap between two groups has changed: their rates in blocks that have equal rows of each group.

A gap that is weighted by all rows of a window follows the shares of the groups: of fewer rows, a rate varies more. So a
block of a pair ends when both groups have the rows that it is to have. Rows of the more frequent group that come after
it has its rows, and before the other one has, are left out. Then a random sample of equally many rows of each is kept,
and the gap of the block is the difference of their rates. Its distribution depends on the rates of both groups alone.
Both groups begin at the same time, and the more frequent one is counted in the first part of the block alone. So what
raises or lowers both rates alike moves a single block at most.

The gap is ranked among those of earlier blocks, as a figure of a user's detector is (`figure_tests`). Each group is
paired with the largest group of the holdout: a rate of all other rows would follow their shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.autocorrelation import autocorrelation_time
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.evidence.block_figures.figure_tests import BlockSpan
from rondo.monitor.evidence.component_sums import GAPS, Component

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import ReferenceProfile

RATES = {"predicted_positive": "selection_rate", "accuracy": "accuracy"}
"""The rates whose gaps are evidence, by their name in `tasks.base.Task.row_figures`. A row counts as 0 or 1."""
_FEWEST_ROWS = 64
_TIMES = 5.0


def rates_of(task: FittedTask) -> tuple[str, ...]:
    """Return the rates that a task has of single rows. Empty for a regression."""
    nothing = pa.schema([*PREDICTED, *OBSERVED]).empty_table()
    return tuple(name for name in task_named(task.task).row_figures(task, nothing) if name in RATES)


class Pair(NamedTuple):
    """Two slices of a column by their numbers in the reference, and their values. `second` is the largest group."""

    column: str
    first: int
    second: int
    values: tuple[str, str]

    @property
    def groups(self) -> str:
        """The groups in words, such as `b against a`."""
        first, second = (each or "(missing)" for each in self.values)
        return f"{first} against {second}"

    def component(self, rate: str) -> Component:
        """Return the component of the gap of a rate."""
        return Component(GAPS, self.column, RATES[rate], 0, f"{self.groups}, {RATES[rate].replace('_', ' ')}")


def pairs_of(profile: ReferenceProfile, column: str | None) -> tuple[Pair, ...]:
    """Return the pairs of groups of a column. Empty without a column, or with fewer than two groups."""
    mine = [(number, each) for number, each in enumerate(profile.slices) if each.column == column]
    if not mine:
        return ()
    largest, reference = max(mine, key=lambda item: item[1].rows)
    return tuple(
        Pair(each.column, number, largest, (each.value, reference.value)) for number, each in mine if number != largest
    )


def rows_of_gap(profile: ReferenceProfile) -> int:
    """Return the rows of each group in a block: five times as many as predictions and losses are correlated over.

    Rows of a group are further apart than those of all rows, so they are correlated over fewer.
    """
    time = 1.0
    if blocks := profile.output_blocks:
        for column in blocks.columns.values():
            means = np.array(list(column.means.values()))
            time = max(time, column.autocorrelation_rows, autocorrelation_time(means, blocks.rows))
    if loss := profile.loss:
        time = max(time, loss.autocorrelation_rows, autocorrelation_time(np.array([loss.means]), loss.rows))
    return max(_FEWEST_ROWS, math.ceil(_TIMES * time))


class PartsOfSlices(NamedTuple):
    """The slices of a window by its parts: their `starts` and their `length` in microseconds.

    `rows` has the shape `[slices, parts]`, and `sums` `[slices, rates, parts]`.
    """

    starts: NDArray[np.int64]
    length: int
    rows: NDArray[np.int64]
    sums: NDArray[np.int64]


@dataclass(frozen=True)
class GapBlock:
    """A complete block of a pair: from `start` to `end` in microseconds, its `rows` of each group, the gap by rate."""

    pair: Pair
    start: int
    end: int
    rows: int
    gaps: dict[str, float]

    @property
    def span(self) -> BlockSpan:
        return BlockSpan(self.start, self.end, self.rows)


@dataclass(frozen=True)
class OpenGap:
    """The block of a pair that is not complete yet: rows of the first and the second group, and their sums by rate."""

    pair: Pair
    block: int
    rates: tuple[str, ...]
    start: int = 0
    rows: tuple[int, int] = (0, 0)
    sums: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def take(self, parts: PartsOfSlices, seed: str) -> tuple[OpenGap, list[GapBlock]]:
        """Take parts that follow those before. Returns the open block after them, and the blocks that they complete."""
        block, complete, mine = self, list[GapBlock](), [self.pair.first, self.pair.second]
        starts, length, rows, sums = parts.starts, parts.length, parts.rows[mine], parts.sums[mine]
        for at in np.flatnonzero(rows.sum(axis=0)).tolist():
            block = block._with_part(int(starts[at]), rows[:, at].tolist(), sums[:, :, at].tolist())
            if min(block.rows) >= block.block:
                complete.append(block.completed(int(starts[at]) + length, seed))
                block = OpenGap(block.pair, block.block, block.rates)
        return block, complete

    def _with_part(self, start: int, rows: Sequence[int], sums: Sequence[Sequence[int]]) -> OpenGap:
        is_first = not sum(self.rows)
        known, before = list(self.rows), [list(each) for each in self.sums or ([0] * len(self.rates),) * 2]
        for group in (0, 1):
            # A group that has its rows waits for the other one.
            if known[group] < self.block:
                known[group] += rows[group]
                before[group] = [a + b for a, b in zip(before[group], sums[group], strict=True)]
        added = (tuple(before[0]), tuple(before[1]))
        return replace(self, start=start if is_first else self.start, rows=(known[0], known[1]), sums=added)

    def completed(self, end: int, seed: str) -> GapBlock:
        """Return the block that ends at `end`, from a sample of equally many rows of each group."""
        assert self.sums is not None  # noqa: S101 - a complete block has rows
        text = f"{seed}/{self.pair.column}/{self.pair.groups}/{self.start}"
        generator = np.random.default_rng(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()))
        gaps = {}
        for number, rate in enumerate(self.rates):
            first, second = (
                int(generator.hypergeometric(sums[number], rows - sums[number], self.block))
                for sums, rows in zip(self.sums, self.rows, strict=True)
            )
            gaps[rate] = (first - second) / self.block
        return GapBlock(self.pair, self.start, end, self.block, gaps)
