"""Stretches of a reference: the length of its blocks, whether there are enough of them, and the test against it.

A stretch is a number of consecutive rows whose means the reference has. Blocks consist of whole stretches.

A reference with fewer than five blocks can't be compared with. The first live rows are then added to it, until it has
enough. A change during this learning becomes a part of the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.autocorrelation import FEWEST_MEANS, autocorrelation_time
from rondo.chassis.profiles.components import in_units
from rondo.monitor.evidence.block_length import FEWEST_BLOCKS, SHORTEST, block_length, longest_autocorrelation
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.ranking import on_grid
from rondo.monitor.evidence.staged_test import OpenBlock, StagedTest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rondo.monitor.evidence.staged_test import Buckets, Change, EarlierChange

# Means of longer blocks are closer to normal: skewness falls with the square root of the length.
_MOST_SKEWED = 0.3
# The autocorrelation time is estimated again after a quarter more rows, or after as many rows as the last estimate
# requires. With more than `_MOST_STRETCHES` stretches, pairs are merged.
_GROWTH = 1.25
_MOST_STRETCHES = 2_048


@dataclass(eq=False)
class Stretches:
    """Means of consecutive stretches of `rows` rows, shape `[components, stretches]`.

    `autocorrelation_rows` is the autocorrelation time that rows within a stretch show, in rows, at least 1. `row_range`
    is the difference between the largest and the smallest value of a row, shape `[components]`. With 0, blocks are
    ranked by their means alone.
    """

    rows: int
    autocorrelation_rows: float
    means: NDArray[np.float64]
    row_range: NDArray[np.float64] | float = 0.0

    @property
    def total(self) -> int:
        """The number of rows in all stretches."""
        count: int = self.means.shape[1]
        return self.rows * count

    def block(self, least: int = SHORTEST, most: int | None = None) -> int:
        """Return the rows of a block, a multiple of the rows of a stretch, within these bounds."""
        time = max(self.autocorrelation_rows, autocorrelation_time(self.means, self.rows))
        needed = block_length(time, self.total, least)
        return math.ceil(min(needed, needed if most is None else most) / self.rows) * self.rows

    def blocks(self, block: int) -> NDArray[np.float64]:
        """Return the means of the latest blocks, shape `[components, blocks]`."""
        together = block // self.rows
        latest = self._sums[:, self.means.shape[1] % together :]
        return on_grid(latest.reshape(len(latest), -1, together).sum(axis=2) / block)

    @property
    def _sums(self) -> NDArray[np.float64]:
        """The sums of the stretches.

        They are exact, as sums of live rows are, although the trainer has rounded the means.
        """
        return in_units(self.means * self.rows)

    def normal(self, block: int) -> NDArray[np.bool_]:
        """Return which components have block means that are not skewed.

        Skewness is estimated from merged stretches, of which at least 40 remain, and scaled to the length of a block.
        """
        together, scale = block // self.rows, 1
        while self.means.shape[1] // (4 * scale) >= FEWEST_MEANS and 4 * scale <= together:
            scale *= 4
        count = self.means.shape[1] // scale
        stretches = self.means[:, : count * scale].reshape(len(self.means), count, scale).mean(axis=2)
        centred = stretches - stretches.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1)
        cubes = (centred**3).mean(axis=1)
        skewness = np.divide(cubes, variance**1.5, out=np.full(len(cubes), np.inf), where=variance > 0)
        return np.asarray(np.abs(skewness) * math.sqrt(scale / together) < _MOST_SKEWED)

    def merged(self) -> Stretches:
        """Return stretches of twice as many rows. If their number is odd, the oldest one is left out."""
        even = self.means[:, self.means.shape[1] % 2 :]
        # Means of longer stretches show less of the autocorrelation.
        within = max(self.autocorrelation_rows, autocorrelation_time(self.means, self.rows))
        means = even.reshape(len(even), self.means.shape[1] // 2, 2).mean(axis=2)
        return Stretches(2 * self.rows, within, means, self.row_range)

    def fitting(self, rows: int) -> Stretches:
        """Return stretches of more than half of `rows` rows. A live bucket of `rows` rows can't be divided."""
        found = self
        while rows >= 2 * found.rows:
            found = found.merged()
        return found

    def with_means(self, means: NDArray[np.float64]) -> Stretches:
        return replace(self, means=np.concatenate((self.means, means), axis=1))


def staged(
    seed: str, parts: Sequence[Stretches], block: int, *, one_sided: bool = False, run_length: bool = False
) -> StagedTest:
    """Return a test of the components of these stretches, in their order. All stretches have the same `rows`."""
    blocks, normal = zip(*((each.blocks(block), each.normal(block)) for each in parts), strict=True)
    resolution = np.concatenate([np.broadcast_to(each.row_range, len(each.means)) for each in parts]) / block
    means, flags = np.concatenate(blocks), np.concatenate(normal)
    test = BlockTest.of(seed, means, flags, one_sided=one_sided, run_length=run_length, resolution=resolution)
    return StagedTest(test, block)


@dataclass(eq=False)
class Learning:
    """A reference that is too short, and the live rows that extend it.

    `tried` is the number of rows at the last estimate of the autocorrelation time, and `block` is the rows of a block
    by that estimate. `live` counts the live rows. Where a test came before, `stage` is the stage of the next test, and
    `evidence`, `end` and `earlier` are the results of the former one (see `StagedTest`).
    """

    seed: str
    one_sided: bool
    stretches: Stretches
    tried: int
    block: int
    live: int = 0
    stage: int = 1
    end: int = 0
    run_length: bool = False
    earlier: dict[int, EarlierChange] = field(default_factory=dict)
    open: OpenBlock = field(init=False)
    evidence: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        components = len(self.stretches.means)
        self.open, self.evidence = OpenBlock.empty(components), np.zeros(components)

    @classmethod
    def of(cls, seed: str, stretches: Stretches, *, one_sided: bool = False, run_length: bool = False) -> Learning:
        return cls(seed, one_sided, stretches, stretches.total, stretches.block(), run_length=run_length)

    @classmethod
    def again(cls, test: StagedTest) -> Learning:
        """Return the state in which live rows extend the reference of a test. The results of the test are kept."""
        test.keep_changes()
        reference = test.test.means[:, : test.test.reference]
        row_range = test.test.resolution * test.block
        stretches = Stretches(test.block, longest_autocorrelation(test.block), reference, row_range)
        found = cls(f"{test.test.seed}/again", test.test.one_sided, stretches, stretches.total, stretches.block())
        # The next test is a further stage, with its share of the remaining false-alarm rate.
        found.stage = test.stage + (1 if test.test.live else 0)
        found.evidence, found.end, found.run_length = test.evidence, test.end, test.test.run_length
        found.earlier = {at: each.before(test.taken) for at, each in test.earlier.items()}
        return found

    def change(self, component: int) -> Change:
        """Return the change of a component that the evidence shows."""
        return self.earlier[component].as_of(self.live)

    @property
    def share(self) -> float:
        """The logarithm that is subtracted from the evidence of the next test, see `StagedTest.share`."""
        return -math.log(self.block) if self.run_length else self.stage * math.log(2)

    @property
    def needed(self) -> int:
        """The rows that the reference needs, by the present estimate of its autocorrelation time."""
        return FEWEST_BLOCKS * self.block

    def take(self, buckets: Buckets) -> tuple[StagedTest | None, int]:
        """Take buckets that follow those before. Returns the test once the reference is long enough.

        The second value is the index of the first bucket that was not taken. The caller gives it to the test.
        """
        for at in range(len(buckets.rows)):
            self.open.extend(buckets, at, at + 1)
            self.live += int(buckets.rows[at])
            if self.open.rows < self.stretches.rows:
                continue
            if self.open.rows >= 2 * self.stretches.rows:
                self.stretches = self.stretches.fitting(self.open.rows)
                self.block = self.stretches.block()
            self.stretches = self.stretches.with_means((self.open.sums / self.open.rows)[:, None])
            self.open = OpenBlock.empty(len(self.stretches.means))
            if test := self._try():
                return test, at + 1
        return None, len(buckets.rows)

    def _try(self) -> StagedTest | None:
        if self.stretches.total < min(_GROWTH * self.tried, self.needed):
            return None
        self.tried = self.stretches.total
        if self.stretches.means.shape[1] > _MOST_STRETCHES:
            self.stretches = self.stretches.merged()
        self.block = self.stretches.block()
        if self.stretches.total < self.needed:
            return None
        test = staged(self.seed, [self.stretches], self.block, one_sided=self.one_sided, run_length=self.run_length)
        test.stage, test.evidence, test.end = self.stage, self.evidence, self.end
        test.earlier = {at: each.before(self.live) for at, each in self.earlier.items()}
        return test
