"""Chooses the rows whose outcomes are most informative about the loss, so that an estimate from them is unbiased.

The rows of each day of event time are sampled with probabilities in proportion to the standard deviation of their loss
(Neyman, Journal of the Royal Statistical Society 1934), which is large where predictions are uncertain. They are drawn
by sequential Poisson sampling with permanent random numbers (Ohlsson, Journal of Official Statistics 1998). The same
rows are chosen each time, independent of the outcomes that have arrived meanwhile. A mean of losses divided by their
probabilities is the mean over all rows (Horvitz and Thompson, Journal of the American Statistical Association 1952).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Every row has a chance to be chosen: where a model is confident and wrong, only outcomes show it.
_LEAST_SHARE = 0.1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def uniforms(ids: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a number in (0, 1) for each id, always the same one, shape `[rows]`. No id is an empty string."""
    texts = pa.concat_arrays([pa.array([], pa.large_string()), *ids.cast(pa.large_string()).chunks])
    if not len(texts):
        return np.zeros(0)
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    starts = offsets[:-1] - offsets[0]
    places = np.arange(len(letters)) - np.repeat(starts, np.diff(offsets))
    with np.errstate(over="ignore"):
        sums = np.add.reduceat((letters + np.uint64(1)) * _mixed(places.astype(np.uint64) + np.uint64(1)), starts)
        mixed = _mixed(sums)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values after the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = values * _MULTIPLIER
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def probabilities(deviations: NDArray[np.float64], budget: int) -> NDArray[np.float64]:
    """Return the probability with which each row is drawn. They add up to `budget`, or to all rows if there are fewer.

    `deviations` are the standard deviations of the rows' losses, shape `[rows]`.
    """
    rows = len(deviations)
    if rows <= budget:
        return np.ones(rows)
    mean = float(deviations.mean()) if rows else 0.0
    sizes = np.maximum(deviations, _LEAST_SHARE * mean) if mean > 0 else np.ones(rows)
    found, certain = np.zeros(rows), np.zeros(rows, np.bool_)
    while True:
        # Rows that are drawn for certain leave less of the budget for the others.
        found = np.where(certain, 1.0, sizes * ((budget - certain.sum()) / sizes[~certain].sum()))
        beyond = (found >= 1) & ~certain
        if not beyond.any():
            return found
        certain |= beyond


def sampled(
    days: NDArray[np.int64], deviations: NDArray[np.float64], random: NDArray[np.float64], budget: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the indices of the chosen rows, at most `budget` of each day, and the probability of each.

    `random` are permanent random numbers of the rows. All arrays have the shape `[rows]`.
    """
    chosen: list[NDArray[np.int64]] = []
    chances: list[NDArray[np.float64]] = []
    for day in np.unique(days):
        mine = np.flatnonzero(days == day)
        chance = probabilities(deviations[mine], budget)
        first = np.argsort(random[mine] / chance, kind="stable")
        # A row that is drawn for certain comes first, independent of its random number.
        first = first[np.argsort(chance[first] < 1, kind="stable")][:budget]
        chosen.append(mine[first])
        chances.append(chance[first])
    return np.concatenate([np.zeros(0, np.int64), *chosen]), np.concatenate([np.zeros(0), *chances])
