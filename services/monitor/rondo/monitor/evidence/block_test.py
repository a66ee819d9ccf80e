"""The test of components that share a clock of blocks: each new block is ranked among those before it.

If the blocks are exchangeable, the ranks are independent and uniform, for any distribution and any number of reference
blocks (Vovk, "Testing randomness online", Statistical Science 2021). The bets on them are then a martingale, so by
Ville's inequality the evidence ever reaches 1/a with probability at most a, however often one looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from rondo.monitor.evidence.bets import normal_bets, start_weights, t_bets

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The ages of the changes that are considered grow by this factor, so their number is logarithmic in the blocks. Leaving
# starts out only makes the evidence smaller.
_AGE_RATIO = 1.3
# Looking costs more than ranking a block, and looking a little later delays an alarm by at most this share.
_LOOK_RATIO = 1.01
_INTERVAL_MASS = 0.9


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
    means themselves.
    """

    seed: str
    one_sided: bool
    normal: NDArray[np.bool_]
    reference: int
    means: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, seed: str, reference: NDArray[np.float64], normal: NDArray[np.bool_], *, one_sided: bool) -> BlockTest:
        """Return a test against these means of blocks, shape `[components, blocks]`, before any live block."""
        components, blocks = reference.shape
        return cls(seed, one_sided, normal, blocks, reference, np.zeros((components, 0)))

    @property
    def live(self) -> int:
        """The number of blocks since the reference."""
        blocks: int = self.scores.shape[1]
        return blocks

    @property
    def is_look(self) -> bool:
        """Whether the evidence is to be looked at after the last block."""
        return self.live > 0 and _looks(self.live) > _looks(self.live - 1)

    def with_blocks(self, means: NDArray[np.float64]) -> BlockTest:
        """Take the means of the next live blocks, in their order, shape `[components, blocks]`."""
        known = self.means.shape[1]
        together = np.concatenate((self.means, means), axis=1)
        scores = [self._score(together[:, : known + i], together[:, known + i]) for i in range(means.shape[1])]
        return replace(self, means=together, scores=np.column_stack((self.scores, *scores)))

    def evidence(self) -> NDArray[np.float64]:
        """Return the natural logarithm of the evidence of each component, shape `[components]`; 0 without a block."""
        if not self.live:
            return np.zeros(len(self.means))
        by_rank, by_mean = (np.logaddexp.reduce(terms, axis=1) for terms in self._terms(_starts(self.live)))
        return np.asarray(np.where(self.normal, np.maximum(by_rank, by_mean) - np.log(2), by_rank))

    def change_point(self, component: int) -> ChangePoint:
        """Return when a change of the component began, if there was one. Needs a live block."""
        starts = np.arange(1, self.live + 1)
        by_rank, by_mean = (terms[component] for terms in self._terms(starts))
        terms = np.maximum(by_rank, by_mean) if self.normal[component] else by_rank
        shares = np.exp(terms - np.logaddexp.reduce(terms))
        order = np.argsort(-shares, kind="stable")
        held = starts[order[: int(np.searchsorted(np.cumsum(shares[order]), _INTERVAL_MASS)) + 1]]
        return ChangePoint(int(starts[order[0]]), int(held.min()), int(held.max()))

    def _score(self, before: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
        below = (before < mean[:, None]).sum(axis=1)
        same = (before == mean[:, None]).sum(axis=1)
        place = _uniform(self.seed, before.shape[1], len(mean))
        return np.asarray(ndtri((below + place * (1 + same)) / (before.shape[1] + 1)))

    def _terms(self, starts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted log bets by rank and by mean, each `[components, starts]`."""
        weights, since = start_weights(starts), self.live - starts + 1
        scores = np.cumsum(self.scores[:, ::-1], axis=1)[:, since - 1]
        by_rank = normal_bets(scores, since, one_sided=self.one_sided) + weights
        if not self.normal.any():
            return by_rank, by_rank
        blocks = self.means.shape[1]
        before = blocks - since
        centred = self.means - self.means.mean(axis=1, keepdims=True)
        sums = np.cumsum(centred[:, ::-1], axis=1)[:, since - 1]
        squares = (centred**2).sum(axis=1, keepdims=True)
        # The means add up to 0, so those before a start are minus those since.
        by_mean = t_bets(
            -sums / np.maximum(before, 1), sums / since, squares, (before, since), one_sided=self.one_sided
        )
        return by_rank, by_mean + weights


def _looks(live: int) -> int:
    """Return how many looks there are at most until `live` blocks: the powers of the ratio up to it."""
    return int(np.log(live) / np.log(_LOOK_RATIO)) + 1 if live else 0


def _starts(live: int) -> NDArray[np.int64]:
    """Return the first blocks of the changes that are considered, among `live` blocks; the first of all is one."""
    count = int(np.log(live) / np.log(_AGE_RATIO)) + 1
    ages = np.unique(np.append(np.floor(_AGE_RATIO ** np.arange(count)).astype(np.int64), live))
    return np.asarray(live - ages[::-1] + 1)


def _uniform(seed: str, block: int, components: int) -> NDArray[np.float64]:
    """Return numbers in (0, 1) that replicas agree on, and a replay repeats."""
    digest = blake2b(f"{seed}/{block}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest)).uniform(np.nextafter(0, 1), 1, components)
