"""A fast test of the losses without a bound on false alarms. It decides where the training rows begin.

It differs from the test that alerts people in its blocks: a block has at most an eighth of the reference's rows, even
where losses are correlated over more rows. In that case it suspects a change too often. A false suspicion costs a
comparison of two models, and a late one costs the errors until then.

The bets are those of `block_test`, by conformal test martingales for change points (Vovk et al., "Retrain or not
retrain", COPA 2021, arXiv 2102.10439).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rondo.monitor.evidence.block_length import FEWEST_BLOCKS
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.ranking import on_grid
from rondo.monitor.evidence.staged_test import OpenBlock, crowded_by, merged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.monitor.evidence.staged_test import Buckets
    from rondo.monitor.evidence.stretches import Stretches

FALSE_ALARM_RATE = 0.01
_SHORTEST, _SHARE = 16, 8
# The suspicion is about a recent change. Older blocks become a part of the reference.
_MOST_LIVE_BLOCKS = 500
# The least additional loss since the change, in rows with a loss of 1. Against a reference whose losses have no
# variance, a single row or a rounding error would be evidence at once.
_LEAST_LOST = 4.0


@dataclass(frozen=True)
class Suspected:
    """The losses may have risen at `since`, in microseconds, from a mean of `before` to one of `after`.

    `rows` is the number of labelled rows since then, up to `end`. `evidence` is a logarithm.
    """

    since: int
    end: int
    rows: int
    before: float
    after: float
    evidence: float

    def extended(self, rows: int, losses: float, end: int) -> Suspected:
        """Return the suspicion with `rows` more rows, whose losses add up to `losses`."""
        after = (self.after * self.rows + losses) / (self.rows + rows)
        return replace(self, end=end, rows=self.rows + rows, after=after)


@dataclass(eq=False)
class Suspicion:
    """The test, with blocks of at least `block` rows.

    `starts` are the event times of the live blocks, in microseconds, and `counts` are their rows. `number` counts how
    often the test has begun. `found` is the suspicion, which lasts until the version is replaced.
    """

    seed: str
    block: int
    test: BlockTest
    starts: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    number: int = 0
    found: Suspected | None = None
    open: OpenBlock = field(default_factory=lambda: OpenBlock.empty(1))

    @classmethod
    def of(cls, seed: str, stretches: Stretches) -> Suspicion | None:
        """Return a test against these losses, or None where there are too few."""
        most = stretches.total // _SHARE
        if most < _SHORTEST:
            return None
        block = stretches.block(most=most)
        if stretches.total < FEWEST_BLOCKS * block:
            return None
        blocks, resolution = stretches.blocks(block), stretches.row_range / block
        test = BlockTest.of(f"{seed}/0", blocks, np.array([True]), one_sided=True, resolution=resolution)
        return cls(seed, block, test)

    def take(self, buckets: Buckets) -> Suspicion:
        """Take buckets of losses that follow those before. Returns the state that takes the next ones."""
        for at in range(len(buckets.rows)):
            end = int(buckets.starts[at]) + buckets.length
            if self.found is not None:
                self.found = self.found.extended(int(buckets.rows[at]), float(buckets.sums[at, 0]), end)
                continue
            self._fit(int(buckets.rows[at]))
            self.open.extend(buckets, at, at + 1)
            if self.open.rows >= self.block:
                self._close(end)
        return self

    def _fit(self, rows: int) -> None:
        """Lengthen the blocks for a bucket with `rows` rows, as far as the reference allows it."""
        factor = min(crowded_by(rows, self.block), max(1, self.test.reference // FEWEST_BLOCKS))
        if factor > 1:
            self.block *= factor
            self._begin(merged(self.test.means[:, : self.test.reference], factor), factor)

    def _close(self, end: int) -> None:
        self.test = self.test.with_blocks(on_grid(self.open.sums / self.open.rows)[:, None])
        self.starts.append(self.open.start)
        self.counts.append(self.open.rows)
        self.open = OpenBlock.empty(1)
        evidence = float(self.test.evidence()[0])
        if evidence >= -np.log(FALSE_ALARM_RATE):
            self.found = self._suspected(end, evidence)
        if self.found is None and self.test.live >= _MOST_LIVE_BLOCKS:
            self._begin(self.test.means[:, -_MOST_LIVE_BLOCKS:])

    def _begin(self, reference: NDArray[np.float64], factor: int = 1) -> None:
        """Begin again without live blocks, against these block means. The new blocks are `factor` times as long."""
        self.number, self.starts, self.counts = self.number + 1, [], []
        seed, resolution = f"{self.seed}/{self.number}", self.test.resolution / factor
        self.test = BlockTest.of(seed, reference, self.test.normal, one_sided=True, resolution=resolution)

    def _suspected(self, end: int, evidence: float) -> Suspected | None:
        live = self.test.means[0, self.test.reference :]
        first = _split(live)
        before = float(self.test.means[0, : self.test.reference + first].mean())
        counts = np.array(self.counts[first:])
        rows = int(counts.sum())
        after = float(live[first:] @ counts / rows)
        if (after - before) * rows < _LEAST_LOST:
            return None
        return Suspected(self.starts[first], end, rows, before, after, evidence)


@dataclass(eq=False)
class ShortReference:
    """A holdout with too few losses for a test. The first live losses extend it, until there are enough."""

    found: ClassVar[None] = None
    seed: str
    stretches: Stretches
    open: OpenBlock = field(default_factory=lambda: OpenBlock.empty(1))

    def take(self, buckets: Buckets) -> Suspicion | ShortReference:
        """Take buckets of losses that follow those before. Returns the state that takes the next ones."""
        for at in range(len(buckets.rows)):
            self.open.extend(buckets, at, at + 1)
            if self.open.rows < self.stretches.rows:
                continue
            self.stretches = self.stretches.fitting(self.open.rows).with_means(
                (self.open.sums / self.open.rows)[:, None]
            )
            self.open = OpenBlock.empty(1)
            if found := Suspicion.of(self.seed, self.stretches):
                return found.take(buckets.since(at + 1))
        return self


def begun(seed: str, stretches: Stretches) -> Suspicion | ShortReference:
    """Return the state that takes the losses of a version whose holdout has these stretches."""
    return Suspicion.of(seed, stretches) or ShortReference(seed, stretches)


def _split(means: NDArray[np.float64]) -> int:
    """Return the first block of the rise.

    It is the split with the largest squared rise of the mean, weighted by the blocks on either side. 0 where no split
    has a rise.
    """
    count = len(means)
    at = np.arange(1, count)
    if not len(at):
        return 0
    sums = np.cumsum(means)
    rise = np.maximum((sums[-1] - sums[:-1]) / (count - at) - sums[:-1] / at, 0.0)
    scores = at * (count - at) / count * rise**2
    return int(at[np.argmax(scores)]) if scores.max() > 0 else 0
