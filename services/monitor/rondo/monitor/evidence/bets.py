"""Bets against "nothing has changed": for each start of a change, a likelihood ratio with mean 1 if nothing has.

The normal form bets on independent standard normal scores with a normal prior on their mean (Robbins, "Statistical
methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 1970). The t form is the Bayes
factor of two means with a right Haar prior (Perez-Ortiz, Lardy, de Heide, Grunwald, "E-statistics, group invariance and
anytime-valid testing", Annals of Statistics 2024). Each averages over several widths of the prior. All values are
natural logarithms.

Without a change most looks find no more evidence than before. So `CumulatedSums` screen the components: they add up
each block once, and leave out the components whose evidence has not grown. The exact bets of the others add up all
blocks since each start again.
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
# Screening by float32 takes half of the time. The error of evidence by it and by cumulated sums that is allowed for is
# relative or absolute. It is about 1e-5.
Kind = type[np.float32] | type[np.float64]
_SCREEN, _SLACK = np.float32, 1e-3
# With a smaller share of the squares left about the mean, a difference of sums has lost too many digits.
_LEAST_VARIANCE = 1e-4


class Starts(NamedTuple):
    """The blocks `since` each start of a change that is considered, and its log `weights`. Shapes `[starts]`."""

    since: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, starts: NDArray[np.int64], live: int) -> Starts:
        """Return them of changes that began with these of the `live` blocks, counted from 1."""
        return cls(live - starts + 1, start_weights(starts))


class Split(NamedTuple):
    """The means of the blocks `before` each start and `since` it, shape `[components, starts]`.

    They are of `blocks_before` and `blocks_since` blocks, shape `[starts]`. `squares` is the sum of squares of all
    blocks about their mean, shape `[components, 1]`.
    """

    before: NDArray[np.float64]
    since: NDArray[np.float64]
    squares: NDArray[np.float64]
    blocks_before: NDArray[np.int64]
    blocks_since: NDArray[np.int64]


def start_weights(starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log weights of changes that began with these live blocks, counted from 1: half for the first."""
    later = np.maximum(starts, 2) + 1.0
    spread = -np.log(_NORMALIZER * later * np.log(later) ** 2)
    return np.asarray(np.log(0.5) + np.where(starts == 1, 0.0, spread))


def normal_bets(sums: NDArray[np.float64], blocks: NDArray[np.int64], *, one_sided: bool) -> NDArray[np.float64]:
    """Return the log bets on sums of normal scores since each start. `sums` and result are `[components, starts]`.

    `blocks` are the scores in each sum, shape `[starts]`. One-sided bets gain from large scores alone.
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
    """Of scores, of means less `shift`, and of the squares of these: over the blocks up to each one, of each component.

    The three lie one after the other, shape `[3 * components, blocks]`. `shift` has the shape `[components, 1]`.
    Blocks of the reference have no scores, which are 0 here.
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
        """Return the sums over the first `known` blocks, and these after them."""
        sums = _figures(scores, means - self.shift)
        sums[:, 0] += self.cumulated.room[:, known - 1]
        return CumulatedSums(self.shift, self.cumulated.with_columns(known, np.cumsum(sums, axis=1)))

    def may_exceed(
        self, least: NDArray[np.float64], looks: Sequence[tuple[int, Starts]], normal: NDArray[np.bool_], *,
        one_sided: bool,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Return for which components the evidence may be above `least`, see `BlockTest.evidence`.

        A look is at so many blocks, with those of the reference. The result has the shape `[components, looks]`.
        """
        sizes, components = [len(starts.since) for _, starts in looks], len(least)
        known, numbers = np.array([blocks for blocks, _ in looks]), np.repeat(np.arange(len(looks)), sizes)
        since = np.concatenate([starts.since for _, starts in looks])
        firsts, before = np.cumsum([0, *sizes[:-1]]), known[numbers] - since
        totals = self.cumulated.room[:, known - 1]
        sums = totals[: 2 * components].take(numbers, axis=1) - self.cumulated.room[: 2 * components, before - 1]
        below = least - _SLACK * (1 + np.abs(least))
        # Half of the evidence of a normal component is a bet by mean.
        below[normal] += np.log(2)
        weights = (np.concatenate([starts.weights for _, starts in looks]) - below[:, None]).astype(_SCREEN)
        found = _reach(normal_terms(sums[:components].astype(_SCREEN), since, one_sided=one_sided), weights, firsts)
        if normal.any():
            of_means, of_squares = (totals[at * components :][:components][normal] for at in (1, 2))
            squares = of_squares - of_means**2 / known
            centred = sums[components:][normal] - since * (of_means / known).take(numbers, axis=1)
            # The means add up to 0, so those before a start are minus those since.
            split = Split(-centred / before, centred / since, squares.take(numbers, axis=1), before, since)
            terms = t_terms(split, one_sided=one_sided, kind=_SCREEN)
            is_unsure = squares <= _LEAST_VARIANCE * of_squares
            found[normal] |= is_unsure | _reach(terms, weights[normal], firsts)
        return found


def _figures(scores: NDArray[np.float64], shifted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((scores, shifted, shifted**2))


def _reach(terms: NDArray[Any], weights: NDArray[Any], firsts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for which components the mean over widths of weighted bets, added up over starts, may be above 1.

    `terms` are logarithms, shape `[widths, components, starts]`, and are overwritten. The starts of each look begin at
    `firsts`.
    """
    terms += weights
    with np.errstate(over="ignore"):
        np.exp(terms, out=terms)
        bets = np.add.reduceat(terms.sum(axis=0), firsts, axis=1)
    # Not a number is not known, either.
    return np.asarray(~(bets <= len(terms)))
