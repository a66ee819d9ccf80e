"""The test of components that share a clock of blocks: each new block is ranked among those before it.

If the blocks are exchangeable, the ranks are independent and uniform, for any distribution and any number of reference
blocks (Vovk, "Testing randomness online", Statistical Science 2021). The bets on them are then a martingale, so by
Ville's inequality the evidence ever reaches 1/a with probability at most a, however often one looks.

A live block may have a few rows more than one of the reference. The means of a rare value are then on two grids: 1 of
42 rows is always below 1 of 40, and such ranks are not uniform. So what is ranked is a mean and a random part of what
one row more or less would add to it. Among blocks of equal rows this decides ties at random, as is needed anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from rondo.chassis.profiles import seeded_draws
from rondo.monitor.evidence.bets import CumulatedSums, Split, Starts, normal_bets, t_bets
from rondo.monitor.evidence.ranking import FEW, MOST_UNSORTED, GrowingColumns, Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Which = slice | NDArray[np.int64]

# The ages of the changes that are considered grow by this factor, so their number is logarithmic in the blocks. Leaving
# starts out only makes the evidence smaller.
_AGE_RATIO = 1.3
# Looking costs more than ranking a block, and looking a little later delays an alarm by at most this share.
_LOOK_RATIO = 1.01
_INTERVAL_MASS = 0.9
# New blocks are compared with each other, so ranking more at once costs more than it saves.
_AT_ONCE = 64
# The bets of so many looks are in the cache at once.
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class ChangePoint:
    """The live block, counted from 1, with which a change most likely began, and bounds that hold 90% of the bets."""

    block: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class BlockTest:
    """The means of all blocks, the reference's `reference` blocks first, shape `[components, blocks]`.

    `scores` are the normal scores of the live blocks' ranks, shape `[components, live blocks]`. `seed` decides ties.
    Of a `one_sided` test larger means alone are a change. `normal` components, shape `[components]`, also bet on the
    means themselves. `resolution`, shape `[components]`, is by how much one row can change a mean; 0 ranks the means as
    they are.
    """

    seed: str
    one_sided: bool
    normal: NDArray[np.bool_]
    resolution: NDArray[np.float64]
    reference: int
    means: NDArray[np.float64]
    scores: NDArray[np.float64]
    # Of which `means` and `scores` are views, and what is ranked, also in order: what makes the next blocks cheap.
    _room: tuple[GrowingColumns, GrowingColumns, GrowingColumns] = field(repr=False)
    _ranking: Ranking = field(repr=False)
    _sums: CumulatedSums = field(repr=False)
    _change_points: dict[int, ChangePoint] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        seed: str,
        reference: NDArray[np.float64],
        normal: NDArray[np.bool_],
        *,
        one_sided: bool,
        resolution: NDArray[np.float64] | float = 0.0,
    ) -> BlockTest:
        """Return a test against these means of blocks, shape `[components, blocks]`, before any live block."""
        components, blocks = reference.shape
        scores, each = np.zeros((components, 0)), np.broadcast_to(resolution, components)
        jitter = (seeded_draws.of_reference(seed, (components, blocks)) - 0.5) * each[:, None]
        ranked = reference + jitter
        room = GrowingColumns.of(reference), GrowingColumns.of(scores), GrowingColumns.of(ranked)
        ranking, sums = Ranking.of(ranked), CumulatedSums.of(reference)
        return cls(seed, one_sided, normal, each, blocks, reference, scores, room, ranking, sums)

    @property
    def live(self) -> int:
        """The number of blocks since the reference."""
        blocks: int = self.scores.shape[1]
        return blocks

    @property
    def is_look(self) -> bool:
        """Whether the evidence is to be looked at after the last block."""
        return _is_look(self.live)

    @property
    def until_look(self) -> int:
        """How many more blocks there are until the evidence is to be looked at."""
        seen, upto = _looks(self.live), self.live + 1
        while _looks(upto) == seen:
            upto += 1
        return upto - self.live

    def with_blocks(self, means: NDArray[np.float64]) -> BlockTest:
        """Take the means of the next live blocks, in their order, shape `[components, blocks]`."""
        found = self
        for first in range(0, means.shape[1], _AT_ONCE):
            found = found._with_few(means[:, first : first + _AT_ONCE])
        return found

    def upto(self, live: int) -> BlockTest:
        """Return the test as it was after so many live blocks."""
        if live == self.live:
            return self
        means, scores = self.means[:, : self.reference + live], self.scores[:, :live]
        return replace(self, means=means, scores=scores, _change_points={})

    def _with_few(self, means: NDArray[np.float64]) -> BlockTest:
        known, number = self.means.shape[1], means.shape[1]
        # One number places a block among those with equal values, and another one, independent of it, is added to its
        # mean. One for both would give the lowest ranks low places among ties, and so scores that are too extreme.
        places, drawn = seeded_draws.of_blocks(self.seed, known, number, len(means))
        jitter = (drawn - 0.5) * self.resolution[:, None]
        room = self._room[0].with_columns(known, means)
        ranked = self._room[2].with_columns(known, means + jitter)
        together = ranked.upto(known + number)
        ranking = self._ranking_of(ranked.upto(known), number)
        below, same = ranking.places(together, known)
        ranks = (below + places * (1 + same)) / (np.arange(known, known + number) + 1)
        new = ndtri(ranks)
        scores, sums = self._room[1].with_columns(self.live, new), self._sums.with_blocks(known, new, means)
        return BlockTest(
            self.seed, self.one_sided, self.normal, self.resolution, self.reference, room.upto(known + number),
            scores.upto(self.live + number), (room, scores, ranked), ranking, sums,
        )  # fmt: skip

    def _ranking_of(self, values: NDArray[np.float64], new: int) -> Ranking:
        """Return the ranking of most of these values, which is that of the last blocks if there are few since.

        So many `new` blocks are ranked next.
        """
        unsorted = values.shape[1] - self._ranking.sorted
        if unsorted < 0:
            return Ranking.of(values)
        is_sorted = unsorted == 0 or (new < FEW and unsorted <= MOST_UNSORTED)
        return self._ranking if is_sorted else self._ranking.with_values(values)

    def evidence(self, which: Which = slice(None)) -> NDArray[np.float64]:
        """Return the natural logarithm of the evidence of each of these components. 0 without a block."""
        if not self.live:
            return np.zeros(len(self.means[which]))
        by_rank, by_mean = (np.logaddexp.reduce(terms, axis=1) for terms in self._terms(_starts(self.live), which))
        return np.asarray(np.where(self.normal[which], np.maximum(by_rank, by_mean) - np.log(2), by_rank))

    def may_exceed(self, least: NDArray[np.float64], looks: Sequence[int]) -> NDArray[np.bool_]:
        """Return which components may have more evidence than `least` after so many live blocks, at least one.

        `least` has the shape `[components]`, and the result `[components, looks]`. It takes a fraction of the time of
        `evidence`, and most looks find none.
        """
        at = [(self.reference + live, _starts(live)) for live in looks]
        return self._sums.may_exceed(least, at, self.normal, one_sided=self.one_sided)

    def growing_looks(self, least: NDArray[np.float64], since: int) -> dict[int, NDArray[np.bool_]]:
        """Return after which live blocks, of those after number `since`, a look may find more evidence than `least`.

        With each comes of which components it may, shape `[components]`.
        """
        looks, found = [live for live in range(since + 1, self.live + 1) if _is_look(live)], dict[int, Any]()
        for first in range(0, len(looks), _LOOKS_AT_ONCE):
            some = looks[first : first + _LOOKS_AT_ONCE]
            may_grow = self.may_exceed(least, some)
            found |= {some[at]: may_grow[:, at] for at in np.flatnonzero(may_grow.any(axis=0)).tolist()}
        return found

    def change_point(self, component: int) -> ChangePoint:
        """Return when a change of the component began, if there was one. Needs a live block."""
        if component not in self._change_points:
            self._change_points[component] = self._change_point(component)
        return self._change_points[component]

    def _change_point(self, component: int) -> ChangePoint:
        starts = np.arange(1, self.live + 1)
        considered = Starts.of(starts, self.live)
        by_rank, by_mean = (terms[0] for terms in self._terms(considered, slice(component, component + 1)))
        terms = np.maximum(by_rank, by_mean) if self.normal[component] else by_rank
        shares = np.exp(terms - np.logaddexp.reduce(terms))
        order = np.argsort(-shares, kind="stable")
        held = starts[order[: int(np.searchsorted(np.cumsum(shares[order]), _INTERVAL_MASS)) + 1]]
        return ChangePoint(int(starts[order[0]]), int(held.min()), int(held.max()))

    def _terms(self, starts: Starts, which: Which) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted log bets of these components by rank and by mean, each `[components, starts]`."""
        weights, since = starts.weights, starts.since
        scores = np.cumsum(self.scores[which][:, ::-1], axis=1)[:, since - 1]
        by_rank = normal_bets(scores, since, one_sided=self.one_sided) + weights
        normal = self.normal[which]
        if not normal.any():
            return by_rank, by_rank
        by_mean = np.zeros_like(by_rank)
        by_mean[normal] = self._by_mean(self.means[which][normal], since) + weights
        return by_rank, by_mean

    def _by_mean(self, centred: NDArray[np.float64], since: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log bets by mean of normal components, shape `[normal components, starts]`.

        `centred` are their means of blocks, which are overwritten.
        """
        before = self.means.shape[1] - since
        centred -= centred.mean(axis=1, keepdims=True)
        sums = np.cumsum(centred[:, : -self.live - 1 : -1], axis=1)[:, since - 1]
        squares = np.square(centred, out=centred).sum(axis=1, keepdims=True)
        # The means add up to 0, so those before a start are minus those since.
        split = Split(-sums / np.maximum(before, 1), sums / since, squares, before, since)
        return t_bets(split, one_sided=self.one_sided)


@lru_cache(maxsize=4_096)
def _looks(live: int) -> int:
    """Return how many looks there are at most until `live` blocks: the powers of the ratio up to it."""
    return int(np.log(live) / np.log(_LOOK_RATIO)) + 1 if live else 0


def _is_look(live: int) -> bool:
    return live > 0 and _looks(live) > _looks(live - 1)


@lru_cache(maxsize=4_096)
def _starts(live: int) -> Starts:
    """Return the first blocks of the changes that are considered, among `live` blocks. The first of all is one."""
    count = int(np.log(live) / np.log(_AGE_RATIO)) + 1
    ages = np.unique(np.append(np.floor(_AGE_RATIO ** np.arange(count)).astype(np.int64), live))
    return Starts.of(live - ages[::-1] + 1, live)
