"""The test of components that share a clock of blocks: each new block is ranked among those before it.

If the blocks are exchangeable, the ranks are independent and uniform, for any distribution and any number of reference
blocks (Vovk, "Testing randomness online", Statistical Science 2021). The bets on them are then a martingale. By Ville's
inequality the evidence reaches 1/a at any time with probability at most a, however often one looks.

With `run_length` the evidence is that of an e-detector: the sum of the bets on all starts, without weights (Shin,
Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal of
Statistics in Data Science 2024, arXiv 2203.03532). Each bet is a martingale that begins with 1, so without a change the
expected sum after n blocks is n at most, also at a random time. By Markov's inequality it has reached c within n blocks
with probability n / c at most. So the mean number of blocks until it reaches c is c / 2 at least. The bets are those of
Shiryaev and Roberts. Of the starts only those of geometric ages are summed, which makes the sum smaller.

A live block may have a few rows more than a block of the reference. The means of a rare value are then on two grids: 1
of 42 rows is always below 1 of 40, and such ranks are not uniform. So the test ranks the mean plus a random fraction of
the amount that one row changes it by. Among blocks of equal rows this breaks ties at random, as the test requires
anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from rondo.chassis.profiles import seeded_draws
from rondo.monitor.evidence.likelihood_ratios import CumulatedSums, Split, Starts, normal_bets, t_bets
from rondo.monitor.evidence.ranking import FEW, MOST_UNSORTED, GrowingColumns, Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Which = slice | NDArray[np.int64]

# The ages of the considered changes grow by this factor, so their number is logarithmic in the blocks. Omitted starts
# only make the evidence smaller.
_AGE_RATIO = 1.3
# A look costs more than ranking a block. A look that comes later by this share delays an alarm by that share at most.
_LOOK_RATIO = 1.01
_INTERVAL_MASS = 0.9
# The new blocks are also compared with each other, so ranking more at once costs more than it saves.
_AT_ONCE = 64
# The bets of this many looks fit into the processor's cache.
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class ChangePoint:
    """The live block, counted from 1, with which a change most likely began. The bounds contain 90% of the bets."""

    block: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class BlockTest:
    """The means of all blocks, the reference's `reference` blocks first, shape `[components, blocks]`.

    `scores` are the normal scores of the live blocks' ranks, shape `[components, live blocks]`. `seed` decides ties. In
    a `one_sided` test only larger means count as a change. `run_length` is the form of the evidence. `normal`
    components, shape `[components]`, also bet on the means themselves. `resolution`, shape `[components]`, is the
    largest amount by which one row can change a mean. With 0 the means themselves are ranked.
    """

    seed: str
    one_sided: bool
    run_length: bool
    normal: NDArray[np.bool_]
    resolution: NDArray[np.float64]
    reference: int
    means: NDArray[np.float64]
    scores: NDArray[np.float64]
    # The arrays that `means` and `scores` are views of, and the ranked values. These, their order and the cumulated
    # sums are kept so that the next blocks cost little.
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
        run_length: bool = False,
        resolution: NDArray[np.float64] | float = 0.0,
    ) -> BlockTest:
        """Return a test against these means of blocks, shape `[components, blocks]`, before any live block."""
        components, blocks = reference.shape
        scores, each = np.zeros((components, 0)), np.broadcast_to(resolution, components)
        jitter = (seeded_draws.of_reference(seed, (components, blocks)) - 0.5) * each[:, None]
        ranked = reference + jitter
        room = GrowingColumns.of(reference), GrowingColumns.of(scores), GrowingColumns.of(ranked)
        ranking, sums = Ranking.of(ranked), CumulatedSums.of(reference)
        return cls(seed, one_sided, run_length, normal, each, blocks, reference, scores, room, ranking, sums)

    @property
    def live(self) -> int:
        """The number of blocks since the reference."""
        blocks: int = self.scores.shape[1]
        return blocks

    @property
    def is_look(self) -> bool:
        """True if the last block is one after which the evidence is computed."""
        return _is_look(self.live)

    @property
    def until_look(self) -> int:
        """The number of further blocks after which the evidence is computed again."""
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
        """Return the test as it was after `live` live blocks."""
        if live == self.live:
            return self
        means, scores = self.means[:, : self.reference + live], self.scores[:, :live]
        return replace(self, means=means, scores=scores, _change_points={})

    def _with_few(self, means: NDArray[np.float64]) -> BlockTest:
        known, number = self.means.shape[1], means.shape[1]
        # One random number places a block among those with equal values. An independent one is added to its mean. With
        # one number for both, the lowest ranks would get low places among ties, and so scores that are too extreme.
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
            self.seed, self.one_sided, self.run_length, self.normal, self.resolution, self.reference,
            room.upto(known + number), scores.upto(self.live + number), (room, scores, ranked), ranking, sums,
        )  # fmt: skip

    def _ranking_of(self, values: NDArray[np.float64], new: int) -> Ranking:
        """Return a ranking that contains most of these values. It is the present one if few values have come since.

        The caller ranks `new` blocks next.
        """
        unsorted = values.shape[1] - self._ranking.sorted
        if unsorted < 0:
            return Ranking.of(values)
        is_sorted = unsorted == 0 or (new < FEW and unsorted <= MOST_UNSORTED)
        return self._ranking if is_sorted else self._ranking.with_values(values)

    def evidence(self, which: Which = slice(None)) -> NDArray[np.float64]:
        """Return the natural logarithm of the evidence of each of these components. It is 0 before any live block."""
        if not self.live:
            return np.zeros(len(self.means[which]))
        by_rank, by_mean = (np.logaddexp.reduce(terms, axis=1) for terms in self._terms(self._starts(self.live), which))
        return np.asarray(np.where(self.normal[which], np.maximum(by_rank, by_mean) - np.log(2), by_rank))

    def may_exceed(self, least: NDArray[np.float64], looks: Sequence[int]) -> NDArray[np.bool_]:
        """Return which components may have more evidence than `least` after each of these numbers of live blocks.

        Each number is at least 1. `least` has the shape `[components]`, and the result `[components, looks]`. The
        computation takes a fraction of the time of `evidence`, and most looks find no component.
        """
        at = [(self.reference + live, self._starts(live)) for live in looks]
        return self._sums.may_exceed(least, at, self.normal, one_sided=self.one_sided)

    def growing_looks(self, least: NDArray[np.float64], since: int) -> dict[int, NDArray[np.bool_]]:
        """Return the looks after live block number `since` that may find more evidence than `least`.

        The result maps the number of live blocks at a look to the components that may have more, shape `[components]`.
        """
        looks, found = [live for live in range(since + 1, self.live + 1) if _is_look(live)], dict[int, Any]()
        for first in range(0, len(looks), _LOOKS_AT_ONCE):
            some = looks[first : first + _LOOKS_AT_ONCE]
            may_grow = self.may_exceed(least, some)
            found |= {some[at]: may_grow[:, at] for at in np.flatnonzero(may_grow.any(axis=0)).tolist()}
        return found

    def change_point(self, component: int) -> ChangePoint:
        """Return the most likely start of a change of the component, if there was a change. Needs a live block."""
        if component not in self._change_points:
            self._change_points[component] = self._change_point(component)
        return self._change_points[component]

    def _change_point(self, component: int) -> ChangePoint:
        starts = np.arange(1, self.live + 1)
        considered = Starts.of(starts, self.live, equal=self.run_length)
        by_rank, by_mean = (terms[0] for terms in self._terms(considered, slice(component, component + 1)))
        terms = np.maximum(by_rank, by_mean) if self.normal[component] else by_rank
        shares = np.exp(terms - np.logaddexp.reduce(terms))
        order = np.argsort(-shares, kind="stable")
        held = starts[order[: int(np.searchsorted(np.cumsum(shares[order]), _INTERVAL_MASS)) + 1]]
        return ChangePoint(int(starts[order[0]]), int(held.min()), int(held.max()))

    def _starts(self, live: int) -> Starts:
        return _starts(live, equal=self.run_length)

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

        `centred` are the means of their blocks, less the mean over all blocks. The function overwrites them.
        """
        before = self.means.shape[1] - since
        centred -= centred.mean(axis=1, keepdims=True)
        sums = np.cumsum(centred[:, : -self.live - 1 : -1], axis=1)[:, since - 1]
        squares = np.square(centred, out=centred).sum(axis=1, keepdims=True)
        # The centred means add up to 0, so the sum before a start is minus the sum since.
        split = Split(-sums / np.maximum(before, 1), sums / since, squares, before, since)
        return t_bets(split, one_sided=self.one_sided)


@lru_cache(maxsize=4_096)
def _looks(live: int) -> int:
    """Return an upper bound on the number of looks until `live` blocks: the powers of `_LOOK_RATIO` up to `live`."""
    return int(np.log(live) / np.log(_LOOK_RATIO)) + 1 if live else 0


def _is_look(live: int) -> bool:
    return live > 0 and _looks(live) > _looks(live - 1)


@lru_cache(maxsize=4_096)
def _starts(live: int, *, equal: bool) -> Starts:
    """Return the starts of the changes that are considered among `live` blocks. The first live block is always one."""
    count = int(np.log(live) / np.log(_AGE_RATIO)) + 1
    ages = np.unique(np.append(np.floor(_AGE_RATIO ** np.arange(count)).astype(np.int64), live))
    return Starts.of(live - ages[::-1] + 1, live, equal=equal)
