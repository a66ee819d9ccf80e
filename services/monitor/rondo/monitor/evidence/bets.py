"""Bets against "nothing has changed": for each start of a change, a likelihood ratio with mean 1 if nothing has.

The normal form bets on independent standard normal scores with a normal prior on their mean (Robbins, "Statistical
methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 1970). The t form is the Bayes
factor of two means with a right Haar prior (Perez-Ortiz, Lardy, de Heide, Grunwald, "E-statistics, group invariance and
anytime-valid testing", Annals of Statistics 2024). Each averages over several widths of the prior. All values are
natural logarithms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, stdtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL_WIDTHS = np.array([0.1, 1.0])
_T_WIDTHS = np.array([0.1, 1.0, 10.0])
# 1 / sum over k >= 2 of 1 / ((k + 1) ln(k + 1)^2), rounded up, so that the weights of all starts add to at most 1.
_NORMALIZER = 1.07
_LEAST = 1e-300


def start_weights(starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log weights of changes that began with these live blocks, counted from 1: half for the first."""
    later = np.maximum(starts, 2) + 1.0
    spread = -np.log(_NORMALIZER * later * np.log(later) ** 2)
    return np.asarray(np.log(0.5) + np.where(starts == 1, 0.0, spread))


def normal_bets(sums: NDArray[np.float64], blocks: NDArray[np.int64], *, one_sided: bool) -> NDArray[np.float64]:
    """Return the log bets on sums of normal scores since each start; `sums` and result are `[components, starts]`.

    `blocks` are the scores in each sum, shape `[starts]`. One-sided bets gain from large scores alone.
    """
    width = NORMAL_WIDTHS[:, None, None]
    shrunk = width / (1 + width * blocks)
    terms = -0.5 * np.log1p(width * blocks) + 0.5 * shrunk * sums**2
    if one_sided:
        terms = terms + np.log(2.0) + log_ndtr(sums * np.sqrt(shrunk))
    return np.asarray(np.logaddexp.reduce(terms, axis=0) - np.log(len(width)))


def t_bets(
    before: NDArray[np.float64],
    since: NDArray[np.float64],
    squares: NDArray[np.float64],
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    one_sided: bool,
) -> NDArray[np.float64]:
    """Return the log bets on the mean of the blocks since each start against the blocks before it.

    `before` and `since` are means, shape `[components, starts]`, of as many blocks as `counts` says, each `[starts]`.
    `squares` is the sum of squares of all blocks about their mean, shape `[components, 1]`.
    """
    first, last = (each.astype(np.float64) for each in counts)
    total, effective = first + last, first * last / (first + last)
    difference = since - before
    explained = np.clip(effective * difference**2 / np.maximum(squares, _LEAST), 0.0, 1.0)
    width = _T_WIDTHS[:, None, None]
    shrunk = width * effective / (1 + width * effective)
    left = np.maximum(1 - explained * shrunk, _LEAST)
    terms = -0.5 * np.log1p(width * effective) - 0.5 * (total - 1) * np.log(left)
    if one_sided:
        scale = np.sqrt(np.maximum(squares, _LEAST) * left / np.maximum(total - 1, 1) * width / (1 + width * effective))
        probability = stdtr(np.maximum(total - 1, 1), difference * shrunk / scale)
        terms = terms + np.log(2.0) + np.log(np.maximum(probability, _LEAST))
    found = np.logaddexp.reduce(terms, axis=0) - np.log(len(width))
    return np.where((first >= 1) & (last >= 1) & (total >= 3), found, 0.0)  # noqa: PLR2004 - two means and a variance
