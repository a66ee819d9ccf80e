"""A test that a version's rows are fed to: it cuts blocks of rows, and makes them longer as they become many.

With the first stage's blocks the test would grow for ever. After `MOST_LIVE_BLOCKS` of them the next stage begins, with
blocks twice as long, made of pairs of those before. Each stage has half of what is left of the false-alarm rate: by the
union bound, all of them together keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.evidence.block_length import FEWEST_BLOCKS
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.grid import on_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_LIVE_BLOCKS = 1_000


@dataclass(frozen=True, eq=False)
class Buckets:
    """Consecutive buckets of event time: `starts` in microseconds, `rows`, and the sums of the rows' components.

    `starts` and `rows` have the shape `[buckets]`, `sums` `[buckets, components]`. `length` is the microseconds of one.
    Components are multiples of 2^-20, so the sums of up to 2^31 rows are exact in any order.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    sums: NDArray[np.float64]
    length: int

    def of(self, components: Sequence[int]) -> Buckets:
        """Return the buckets of these components."""
        return Buckets(self.starts, self.rows, self.sums[:, list(components)], self.length)

    def since(self, first: int) -> Buckets:
        """Return the buckets from number `first` on."""
        return Buckets(self.starts[first:], self.rows[first:], self.sums[first:], self.length)


@dataclass(frozen=True)
class Change:
    """A change of a component: most likely since `since`, between `earliest` and `latest`, in microseconds.

    `before` and `after` are the means of the component before and since. `rows` have passed since the change.
    """

    since: int
    earliest: int
    latest: int
    before: float
    after: float
    rows: int


@dataclass(eq=False)
class OpenBlock:
    """A block of which more rows are expected."""

    start: int
    rows: int
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, components: int) -> OpenBlock:
        return cls(0, 0, np.zeros(components))

    def extend(self, buckets: Buckets, first: int, end: int) -> None:
        """Add the buckets from `first` until before `end`."""
        if not self.rows:
            self.start = int(buckets.starts[first])
        self.rows += int(buckets.rows[first:end].sum())
        self.sums = self.sums + buckets.sums[first:end].sum(axis=0)


@dataclass(eq=False)
class StagedTest:
    """The test of components that share a clock of blocks, which have at least `block` rows each.

    `starts` are the event times of the live blocks, and `end` is the end of the last one, in microseconds. `evidence`
    is the largest logarithm so far, shape `[components]`, less what the stages share.
    """

    test: BlockTest
    block: int
    stage: int = 1
    starts: list[int] = field(default_factory=list)
    end: int = 0
    rows: int = 0
    open: OpenBlock = field(init=False)
    evidence: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        components = len(self.test.means)
        self.open = OpenBlock.empty(components)
        self.evidence = np.zeros(components)

    def take(self, buckets: Buckets) -> None:
        """Take buckets that follow those before; blocks end with the bucket that completes them."""
        first, upto = 0, np.cumsum(buckets.rows)
        while first < len(upto):
            before = int(upto[first - 1]) if first else 0
            last = int(np.searchsorted(upto, before + self.block - self.open.rows))
            if last == len(upto):
                self.open.extend(buckets, first, last)
                return
            self.open.extend(buckets, first, last + 1)
            self._close(int(buckets.starts[last]) + buckets.length)
            first = last + 1

    def change(self, component: int) -> Change:
        """Return the change of a component that the evidence is about. Needs a live block."""
        point = self.test.change_point(component)
        means = self.test.means[component]
        split = self.test.reference + point.block - 1
        return Change(
            self.starts[point.block - 1],
            self.starts[point.first - 1],
            self.starts[point.last - 1],
            float(means[:split].mean()),
            float(means[split:].mean()),
            (self.test.live - point.block + 1) * self.block + self.open.rows,
        )

    def _close(self, end: int) -> None:
        self.test = self.test.with_blocks(on_grid(self.open.sums / self.open.rows)[:, None])
        self.starts.append(self.open.start)
        self.rows, self.end = self.rows + self.open.rows, end
        self.open = OpenBlock.empty(len(self.test.means))
        if self.test.is_look:
            self.evidence = np.maximum(self.evidence, self.test.evidence() - self.stage * np.log(2))
        if self.test.live >= MOST_LIVE_BLOCKS and self.test.reference >= 2 * FEWEST_BLOCKS:
            self._begin_stage()

    def _begin_stage(self) -> None:
        reference, live = self.test.means[:, : self.test.reference], self.test.means[:, self.test.reference :]
        begun = BlockTest.of(
            f"{self.test.seed}/{self.stage + 1}",
            _pairs(reference[:, reference.shape[1] % 2 :]),
            self.test.normal,
            one_sided=self.test.one_sided,
        )
        # An odd block would have no partner. 1,000 blocks are even.
        self.test = begun.with_blocks(_pairs(live))
        self.starts, self.stage, self.block = self.starts[::2], self.stage + 1, 2 * self.block


def _pairs(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(means.reshape(len(means), -1, 2).mean(axis=2))
