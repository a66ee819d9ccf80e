"""A test that takes a version's rows, divides them into blocks, and lengthens the blocks as their number grows.

With the blocks of the first stage the memory of the test would grow without limit. After `MOST_LIVE_BLOCKS` of them the
next stage begins, with blocks twice as long, made of pairs of those before. Where pairs of the reference's blocks would
be too few to compare with, the older half of the live blocks becomes a part of the reference. Each stage has half of
the remaining false-alarm rate, so by the union bound all of them together keep it. This holds because a stage begins
after a number of blocks, and not because of their values: blocks that are exchangeable with those before may then be on
either side.

A bucket can't be divided. Where traffic is so dense that a bucket has the rows of several blocks, the next stage begins
with blocks of that length: a mean of more rows varies less, and could not be ranked among those of the reference.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rondo.contracts.spec.policy import LEAST_RUN_LENGTH
from rondo.monitor.evidence.block_length import FEWEST_BLOCKS
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.ranking import on_grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MOST_LIVE_BLOCKS = 1_000
# No threshold is lower: a group has a third of a rate, see `Monitor.evidence_rate`. A false-alarm rate is below 1.
_LEAST_THRESHOLD = np.log(3)
_LEAST_BY_RUN_LENGTH = np.log(3 * 4 * LEAST_RUN_LENGTH)


@dataclass(frozen=True, eq=False)
class Buckets:
    """Consecutive buckets of event time: `starts` in microseconds, `rows`, and the sums of the rows' components.

    `starts` and `rows` have the shape `[buckets]`, `sums` `[buckets, components]`. A bucket is `length` microseconds
    long. The sums are exact in any order (see `chassis.profiles.components.UNIT`).
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    sums: NDArray[np.float64]
    length: int

    def of(self, components: Sequence[int]) -> Buckets:
        """Return the buckets with the sums of these components alone."""
        if len(components) == self.sums.shape[1] and list(components) == list(range(len(components))):
            return self
        return Buckets(self.starts, self.rows, self.sums[:, list(components)], self.length)

    def at(self, which: slice | NDArray[np.bool_]) -> Buckets:
        return Buckets(self.starts[which], self.rows[which], self.sums[which], self.length)

    def since(self, first: int) -> Buckets:
        """Return the buckets from index `first` on."""
        return self.at(slice(first, None))


@dataclass(frozen=True)
class Change:
    """A change of a component: it most likely began at `since`, between `earliest` and `latest`, in microseconds.

    `before` and `after` are the means of the component before the change and since. `rows` is the number of rows since
    the change.
    """

    since: int
    earliest: int
    latest: int
    before: float
    after: float
    rows: int


@dataclass(frozen=True)
class EarlierChange:
    """A change that was found in blocks that are not kept any more, and its evidence at that time, a logarithm.

    `taken` is the number of rows that the present test had taken at that time. It is negative where the test began
    later.
    """

    change: Change
    evidence: float
    taken: int

    def as_of(self, taken: int) -> Change:
        """Return the change as of the time when the test has taken `taken` rows."""
        return replace(self.change, rows=self.change.rows + taken - self.taken)

    def before(self, taken: int) -> EarlierChange:
        """Return the change for a test that begins after `taken` rows of the present one."""
        return replace(self, taken=self.taken - taken)


@dataclass(eq=False)
class OpenBlock:
    """A block that is not complete yet."""

    start: int
    rows: int
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, components: int) -> OpenBlock:
        return cls(0, 0, np.zeros(components))

    def extend(self, buckets: Buckets, first: int, end: int) -> None:
        """Add the buckets from index `first` to before `end`."""
        if first == end:
            return
        if not self.rows:
            self.start = int(buckets.starts[first])
        self.rows += int(buckets.rows[first:end].sum())
        self.sums = self.sums + buckets.sums[first:end].sum(axis=0)


class _Blocks(NamedTuple):
    """Complete blocks: `starts` in microseconds, `rows`, and `means`, shape `[components, blocks]`."""

    starts: list[int]
    rows: list[int]
    means: NDArray[np.float64]


class _Expected(NamedTuple):
    """The `test` with the blocks that are taken next.

    `known` is the number of blocks before them, with those of the reference. `looks` has the looks that may find more
    evidence: the number of live blocks, and the components that may have more.
    """

    known: int
    test: BlockTest
    looks: Mapping[int, NDArray[np.bool_]]

    def has(self, means: NDArray[np.float64], known: int) -> bool:
        """Return whether these are the expected blocks that follow the first `known` ones."""
        return known >= self.known and np.array_equal(self.test.means[:, known : known + means.shape[1]], means)


@dataclass(eq=False)
class StagedTest:
    """The test of components that share the same blocks, of at least `block` rows each.

    `starts` are the event times of the live blocks, and `end` is the end of the last one, in microseconds. `counts` are
    their numbers of rows. `rows` is the number of rows in all blocks. `evidence` is the largest logarithm so far, shape
    `[components]`, less `share`. `earlier` has the changes that were found in former blocks, by component.
    """

    test: BlockTest
    block: int
    stage: int = 1
    starts: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    end: int = 0
    rows: int = 0
    earlier: dict[int, EarlierChange] = field(default_factory=dict)
    open: OpenBlock = field(init=False)
    evidence: NDArray[np.float64] = field(init=False)
    _expected: _Expected | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        components = len(self.test.means)
        self.open = OpenBlock.empty(components)
        self.evidence = np.zeros(components)

    def expect(self, buckets: Buckets) -> None:
        """Rank the blocks of the buckets that are taken next in parts.

        Ranking all at once takes a fraction of the time. `take` then skips the looks that can't find more evidence.
        """
        upto = np.cumsum(buckets.rows[: self._crowded(buckets.rows, 0)])
        if ends := self._ends(upto, 0, MOST_LIVE_BLOCKS - self.test.live):
            test = self.test.with_blocks(self._blocks(buckets, 0, ends).means)
            looks = test.growing_looks(self.evidence + self.share, self.test.live)
            self._expected = _Expected(self.test.means.shape[1], test, looks)

    def take(self, buckets: Buckets) -> int | None:
        """Take buckets that follow those before. A block ends with the bucket that completes it.

        Returns the index of the first bucket that was not taken, because the reference is too short for blocks with its
        rows. None if all were taken.
        """
        first, upto = 0, np.cumsum(buckets.rows)
        while first < len(upto):
            end = self._crowded(buckets.rows, first)
            if ends := self._ends(upto[:end], first, self._until_pause()):
                first = self._close(buckets, first, ends)
                continue
            self.open.extend(buckets, first, end)
            if end < len(upto) and not self._fits(int(buckets.rows[end])):
                return end
            first = end
        return None

    @property
    def taken(self) -> int:
        """The number of rows that have been taken."""
        return self.rows + self.open.rows

    @property
    def share(self) -> float:
        """The logarithm that is subtracted from a stage's evidence, so that all stages keep the false-alarm rate.

        By run length, the evidence counts rows instead of blocks. Each stage has at most the rows so far, and half as
        many as the next one has, so that all stages together have at most twice the rows so far.
        """
        return float(-np.log(self.block) if self.test.run_length else self.stage * np.log(2))

    @property
    def rows_until_look(self) -> int:
        """The fewest further rows after which the evidence may change, if no bucket has the rows of two blocks."""
        return self._until_pause() * self.block - self.open.rows

    def change(self, component: int) -> Change:
        """Return the change of a component that the evidence shows. Needs a live block, or an earlier change."""
        earlier = self.earlier.get(component)
        if earlier and self.evidence[component] <= earlier.evidence:
            return earlier.as_of(self.taken)
        point = self.test.change_point(component)
        if earlier and point.block == 1:
            # The change began before the first of these blocks.
            return earlier.as_of(self.taken)
        means = self.test.means[component]
        split = self.test.reference + point.block - 1
        return Change(
            self.starts[point.block - 1],
            self.starts[point.first - 1],
            self.starts[point.last - 1],
            float(means[:split].mean()),
            float(means[split:].mean()),
            sum(self.counts[point.block - 1 :]) + self.open.rows,
        )

    def keep_changes(self) -> None:
        """Keep the changes that the live blocks show, before these blocks are merged or become the reference."""
        if self.test.live:
            least = _LEAST_BY_RUN_LENGTH if self.test.run_length else _LEAST_THRESHOLD
            found = np.flatnonzero(self.evidence >= least).tolist()
            self.earlier = {at: EarlierChange(self.change(at), float(self.evidence[at]), self.taken) for at in found}

    def _crowded(self, rows: NDArray[np.int64], first: int) -> int:
        """Return the next bucket from `first` on that has the rows of two blocks. It completes a block in any case."""
        crowded = rows[first:] >= 2 * self.block
        return first + int(crowded.argmax()) if crowded.any() else len(rows)

    def _ends(self, upto: NDArray[np.int64], first: int, most: int) -> list[int]:
        """Return the ends of the next blocks, at most `most` of them, where the first begins with bucket `first`.

        `upto` has the rows of all buckets up to each one. The bucket at an end belongs to the next block.
        """
        ends, known = list[int](), upto.tolist()
        target = (known[first - 1] if first else 0) + self.block - self.open.rows
        while len(ends) < most and (last := bisect_left(known, target)) < len(known):
            ends.append(last + 1)
            target = known[last] + self.block
        return ends

    def _until_pause(self) -> int:
        """Return the number of blocks that can be closed at once.

        They end with a look that may find more evidence, or with the next stage.
        """
        live, expected = self.test.live, self._expected
        if expected and live < expected.test.live:
            until = next((look for look in expected.looks if look > live), expected.test.live) - live
        else:
            until = self.test.until_look
        return min(until, max(1, MOST_LIVE_BLOCKS - live))

    def _close(self, buckets: Buckets, first: int, ends: Sequence[int]) -> int:
        """Close the open block with the buckets from `first` on, and the blocks after it, which end at `ends`.

        Returns the first bucket after them.
        """
        blocks = self._blocks(buckets, first, ends)
        if self._expected and not self._expected.has(blocks.means, self.test.means.shape[1]):
            # The buckets are not those that were expected.
            self._expected = None
            return first
        after, expected = self.test.live + len(ends), self._expected
        self.test = expected.test.upto(after) if expected else self.test.with_blocks(blocks.means)
        if expected and after == expected.test.live:
            self._expected = None
        # These are new lists, so that the lists of a snapshot do not change.
        self.starts, self.counts = [*self.starts, *blocks.starts], [*self.counts, *blocks.rows]
        self.rows, self.end = self.rows + sum(blocks.rows), int(buckets.starts[ends[-1] - 1]) + buckets.length
        self.open = OpenBlock.empty(len(self.test.means))
        if expected:
            self._look(expected.looks.get(after))
        elif self.test.is_look:
            self._look(self.test.may_exceed(self.evidence + self.share, [self.test.live]))
        if self.test.live >= MOST_LIVE_BLOCKS:
            self._begin_stage()
        return ends[-1]

    def _blocks(self, buckets: Buckets, first: int, ends: Sequence[int]) -> _Blocks:
        """Return the open block with the buckets from `first` on, and the blocks after it, which end at `ends`."""
        firsts = [first, *ends[:-1]]
        rows = np.add.reduceat(buckets.rows[: ends[-1]], firsts)
        sums = np.add.reduceat(buckets.sums[: ends[-1]], firsts, axis=0)
        starts = buckets.starts[firsts].tolist()
        if self.open.rows:
            rows[0] += self.open.rows
            sums[0] += self.open.sums
            starts[0] = self.open.start
        return _Blocks(starts, rows.tolist(), on_grid(sums / rows[:, None]).T)

    def _look(self, may_grow: NDArray[np.bool_] | None) -> None:
        """Compute the evidence of the components whose evidence may have grown."""
        which = np.zeros(0, np.int64) if may_grow is None else np.flatnonzero(may_grow)
        if which.size:
            # This is a new array for the same reason as the lists.
            self.evidence = self.evidence.copy()
            self.evidence[which] = np.maximum(self.evidence[which], self.test.evidence(which) - self.share)

    def _fits(self, rows: int) -> bool:
        """Lengthen the blocks until a bucket with `rows` rows fits. Returns whether the reference allows it."""
        factor = crowded_by(rows, self.block)
        if factor == 1:
            return True
        if self.test.reference < FEWEST_BLOCKS * factor:
            return False
        # Live blocks of fewer rows can't be ranked with the bucket.
        self._next_stage()
        self.test, self.block = self._with_longer(factor, self.test.reference), self.block * factor
        return True

    def begin_again(self, test: BlockTest, block: int) -> None:
        """Begin a stage with blocks of `block` rows against the reference of a test without live blocks."""
        self._next_stage()
        self.rows, self.open = self.taken, OpenBlock.empty(len(test.means))
        self.test, self.block, self._expected = test, block, None

    def _next_stage(self) -> None:
        """End the present stage. Without a live block its evidence is still 0, so it remains the present one."""
        self.keep_changes()
        self.stage += 1 if self.test.live else 0
        self.starts, self.counts = [], []

    def _begin_stage(self) -> None:
        # An odd block would have no partner. 1,000 blocks and half of them are even numbers.
        learned = 0 if self.test.reference >= 2 * FEWEST_BLOCKS else self.test.live // 2
        if learned:
            self.keep_changes()
        reference, self.stage = self.test.reference + learned, self.stage + 1
        live = merged(self.test.means[:, reference:], 2)
        self.test, self.block = self._with_longer(2, reference).with_blocks(live), 2 * self.block
        self.starts = self.starts[learned::2]
        self.counts = [a + b for a, b in zip(self.counts[learned::2], self.counts[learned + 1 :: 2], strict=True)]

    def _with_longer(self, factor: int, reference: int) -> BlockTest:
        """Return a test before any live block, against the first `reference` blocks, merged in groups of `factor`."""
        before, means = self.test, merged(self.test.means[:, :reference], factor)
        seed, resolution = f"{before.seed}/{self.stage}", before.resolution / factor
        return BlockTest.of(
            seed, means, before.normal, one_sided=before.one_sided, run_length=before.run_length, resolution=resolution
        )


def crowded_by(rows: int, block: int) -> int:
    """Return the power of 2 by which blocks must be longer, so that a bucket has fewer rows than two blocks."""
    return 1 << max(0, (rows // block).bit_length() - 1)


def merged(means: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Return the mean of every `factor` consecutive blocks. The oldest blocks that fill no group are left out."""
    even = means[:, means.shape[1] % factor :]
    return np.asarray(even.reshape(len(even), even.shape[1] // factor, factor).mean(axis=2))
