"""Bets against "nothing has changed": for each start of a change, a likelihood ratio with mean 1 without a change.

The normal form bets on independent standard normal scores with a normal prior on their mean (Robbins, "Statistical
methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 1970). The t form is the Bayes
factor of two means with a right Haar prior (Perez-Ortiz, Lardy, de Heide, Grunwald, "E-statistics, group invariance and
anytime-valid testing", Annals of Statistics 2024). Each averages over several widths of the prior. All values are
natural logarithms.

Without a change most looks find no more evidence than before. So `CumulatedSums` screens the components: it adds up
each block once, and leaves out the components whose evidence has not grown. The exact bets of the other components add
up all blocks since each start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import log_ndtr, stdtr

from rondo.monitor.evidence.ranking import GrowingColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NORMAL_WIDTHS = np.array([0.1, 1.0])
_T_WIDTHS = np.array([0.1, 1.0, 10.0])
# 1 / sum over k >= 2 of 1 / ((k + 1) ln(k + 1)^2), rounded up, so that the weights of all starts add to at most 1.
_NORMALIZER = 1.07
_LEAST = 1e-300
# Screening in float32 takes half of the time. `_SLACK` is the allowed relative or absolute error of the evidence. The
# actual error of float32 and of cumulated sums is about 1e-5.
Kind = type[np.float32] | type[np.float64]
_SCREEN, _SLACK = np.float32, 1e-3
# Where a smaller share of the sum of squares remains as variance about the mean, a difference of cumulated sums has
# lost too many digits.
_LEAST_VARIANCE = 1e-4


class Starts(NamedTuple):
    """The starts of a change that are considered: the number of blocks `since` each, and their log `weights`.

    Both have the shape `[starts]`.
    """

    since: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, starts: NDArray[np.int64], live: int, *, equal: bool = False) -> Starts:
        """Return the starts of changes that began with these blocks of the `live` ones, counted from 1.

        With `equal`, each has the weight 1.
        """
        return cls(live - starts + 1, np.zeros(len(starts)) if equal else start_weights(starts))


class Split(NamedTuple):
    """The mean of the blocks `before` each start and `since` it, shape `[components, starts]`.

    `blocks_before` and `blocks_since` are the numbers of these blocks, shape `[starts]`. `squares` is the sum of
    squares of all blocks about their mean, shape `[components, 1]`.
    """

    before: NDArray[np.float64]
    since: NDArray[np.float64]
    squares: NDArray[np.float64]
    blocks_before: NDArray[np.int64]
    blocks_since: NDArray[np.int64]


def start_weights(starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log weights of changes that began with these live blocks, counted from 1.

    The first block has half of the weight.
    """
    later = np.maximum(starts, 2) + 1.0
    spread = -np.log(_NORMALIZER * later * np.log(later) ** 2)
    return np.asarray(np.log(0.5) + np.where(starts == 1, 0.0, spread))


def normal_bets(sums: NDArray[np.float64], blocks: NDArray[np.int64], *, one_sided: bool) -> NDArray[np.float64]:
    """Return the log bets on sums of normal scores since each start. `sums` and result are `[components, starts]`.

    `blocks` is the number of scores in each sum, shape `[starts]`. One-sided bets gain from large scores alone.
    """
    terms = normal_terms(sums, blocks, one_sided=one_sided)
    return np.asarray(np.logaddexp.reduce(terms, axis=0) - np.log(len(terms)))


def normal_terms(sums: NDArray[Any], blocks: NDArray[np.int64], *, one_sided: bool) -> NDArray[Any]:
    """Return the log bets of each width of the prior, shape `[widths, components, starts]`. See `normal_bets`."""
    width, kind = NORMAL_WIDTHS[:, None, None], sums.dtype
    shrunk = (width / (1 + width * blocks)).astype(kind)
    terms = (0.5 * shrunk) * sums**2
    terms += (-0.5 * np.log1p(width * blocks)).astype(kind)
    if one_sided:
        terms = terms + np.log(2.0) + log_ndtr(sums * np.sqrt(shrunk))
    return np.asarray(terms)


def t_bets(split: Split, *, one_sided: bool) -> NDArray[np.float64]:
    """Return the log bets on the mean of the blocks since each start against the blocks before it."""
    terms = t_terms(split, one_sided=one_sided)
    found = np.logaddexp.reduce(terms, axis=0) - np.log(len(terms))
    first, last = split.blocks_before, split.blocks_since
    # Two means and a variance need three blocks.
    return np.where((first >= 1) & (last >= 1) & (first + last >= 3), found, 0.0)  # noqa: PLR2004


def t_terms(split: Split, *, one_sided: bool, kind: Kind = np.float64) -> NDArray[Any]:
    """Return the log bets of each width of the prior, shape `[widths, components, starts]`. See `t_bets`."""
    first, last = (each.astype(np.float64) for each in (split.blocks_before, split.blocks_since))
    total, effective, squares = first + last, first * last / (first + last), np.maximum(split.squares, _LEAST)
    difference = split.since - split.before
    explained: NDArray[Any] = np.clip(effective * difference**2 / squares, 0.0, 1.0).astype(kind)
    width = _T_WIDTHS[:, None, None]
    shrunk: NDArray[Any] = (width * effective / (1 + width * effective)).astype(kind)
    left = np.maximum(1 - explained * shrunk, max(_LEAST, float(np.finfo(kind).tiny)))
    terms = np.log(left)
    terms *= (-0.5 * (total - 1)).astype(kind)
    terms += (-0.5 * np.log1p(width * effective)).astype(kind)
    if one_sided:
        scale = np.sqrt(squares * left / np.maximum(total - 1, 1) * width / (1 + width * effective))
        probability = stdtr(np.maximum(total - 1, 1), difference * shrunk / scale)
        terms = terms + np.log(2.0) + np.log(np.maximum(probability, _LEAST))
    return np.asarray(terms)


@dataclass(frozen=True, eq=False)
class CumulatedSums:
    """Cumulated sums over the blocks, by component: of scores, of means less `shift`, and of the squares of these.

    `cumulated` has the three kinds one after the other, shape `[3 * components, blocks]`. `shift` has the shape
    `[components, 1]`. The scores of the reference's blocks are 0.
    """

    shift: NDArray[np.float64]
    cumulated: GrowingColumns

    @classmethod
    def of(cls, reference: NDArray[np.float64]) -> CumulatedSums:
        """Return the sums over the means of a reference's blocks, shape `[components, blocks]`."""
        shift = reference.mean(axis=1, keepdims=True)
        sums = np.cumsum(_figures(np.zeros_like(reference), reference - shift), axis=1)
        return cls(shift, GrowingColumns.of(sums))

    def with_blocks(self, known: int, scores: NDArray[np.float64], means: NDArray[np.float64]) -> CumulatedSums:
        """Return the sums over the first `known` blocks and over these blocks, which follow them."""
        sums = _figures(scores, means - self.shift)
        sums[:, 0] += self.cumulated.room[:, known - 1]
        return CumulatedSums(self.shift, self.cumulated.with_columns(known, np.cumsum(sums, axis=1)))

    def may_exceed(
        self, least: NDArray[np.float64], looks: Sequence[tuple[int, Starts]], normal: NDArray[np.bool_], *,
        one_sided: bool,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Return for which components the evidence may be above `least`, see `BlockTest.evidence`.

        A look is a number of blocks, which includes those of the reference, and the starts to consider. The result has
        the shape `[components, looks]`.
        """
        sizes, components = [len(starts.since) for _, starts in looks], len(least)
        known, numbers = np.array([blocks for blocks, _ in looks]), np.repeat(np.arange(len(looks)), sizes)
        since = np.concatenate([starts.since for _, starts in looks])
        firsts, before = np.cumsum([0, *sizes[:-1]]), known[numbers] - since
        totals = self.cumulated.room[:, known - 1]
        sums = totals[: 2 * components].take(numbers, axis=1) - self.cumulated.room[: 2 * components, before - 1]
        below = least - _SLACK * (1 + np.abs(least))
        # The evidence of a normal component is half of the larger one of its bets by rank and by mean.
        below[normal] += np.log(2)
        weights = (np.concatenate([starts.weights for _, starts in looks]) - below[:, None]).astype(_SCREEN)
        found = _reach(normal_terms(sums[:components].astype(_SCREEN), since, one_sided=one_sided), weights, firsts)
        if normal.any():
            of_means, of_squares = (totals[at * components :][:components][normal] for at in (1, 2))
            squares = of_squares - of_means**2 / known
            centred = sums[components:][normal] - since * (of_means / known).take(numbers, axis=1)
            # The centred means add up to 0, so the sum before a start is minus the sum since.
            split = Split(-centred / before, centred / since, squares.take(numbers, axis=1), before, since)
            terms = t_terms(split, one_sided=one_sided, kind=_SCREEN)
            is_unsure = squares <= _LEAST_VARIANCE * of_squares
            found[normal] |= is_unsure | _reach(terms, weights[normal], firsts)
        return found


def _figures(scores: NDArray[np.float64], shifted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((scores, shifted, shifted**2))


def _reach(terms: NDArray[Any], weights: NDArray[Any], firsts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for which components the mean over widths of the weighted bets, summed over starts, may be above 1.

    `terms` are logarithms, shape `[widths, components, starts]`, and are overwritten. `firsts` has the index of the
    first start of each look.
    """
    terms += weights
    with np.errstate(over="ignore"):
        np.exp(terms, out=terms)
        bets = np.add.reduceat(terms.sum(axis=0), firsts, axis=1)
    # NaN compares as false, so a component whose bets are NaN may exceed 1.
    return np.asarray(~(bets <= len(terms)))
