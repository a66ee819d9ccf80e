"""Bounds on the mean loss hold at any time: shown by simulation, on independent and on correlated losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rondo.chassis.profiles.autocorrelation import autocorrelation_time
from rondo.monitor.estimates.loss_bounds import LossBounds, boundary

STREAMS, ROWS, CONFIDENCE = 60, 8_000, 0.9


def losses(rng: np.random.Generator, rows: int, kept: float) -> np.ndarray:
    """Return losses of wrong answers: each repeats the one before with the probability `kept`."""
    fresh = (rng.random(rows) < 0.2).astype(np.float64)
    drawn = rng.random(rows) >= kept
    drawn[0] = True
    return np.asarray(fresh[np.maximum.accumulate(np.where(drawn, np.arange(rows), 0))])


def started(rng: np.random.Generator, kept: float) -> LossBounds:
    holdout = losses(rng, 8_000, kept)
    means = holdout.reshape(-1, 16).mean(axis=1)
    return LossBounds.of(means, 16, autocorrelation_time(holdout[None], 1, below=16))


def ever_misses(seed: int, kept: float) -> bool:
    """Return whether the bounds exclude the mean at any look. There is a look after each tenth more blocks."""
    rng = np.random.default_rng(seed)
    bounds, looked = started(rng, kept), 0
    for part in losses(rng, ROWS, kept).reshape(-1, 8):
        bounds = bounds.with_losses(8, float(part.sum()))
        if bounds.blocks > 1.1 * looked:
            looked, found = bounds.blocks, bounds.within(CONFIDENCE)
            if found and not found[1] <= 0.2 <= found[2]:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("kept", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_they_ever_miss_the_mean_at_most_as_often_as_stated(kept: float) -> None:
    misses = sum(ever_misses(seed, kept) for seed in range(STREAMS))
    allowed = (1 - CONFIDENCE) * STREAMS
    assert misses <= allowed + 2 * math.sqrt(allowed)


def test_they_are_narrow_enough_to_be_of_use() -> None:
    rng = np.random.default_rng(1)
    bounds = started(rng, 0.0)
    for part in losses(rng, 20_000, 0.0).reshape(-1, 8):
        bounds = bounds.with_losses(8, float(part.sum()))
    found = bounds.within(0.99)
    assert found
    mean, low, high = found
    assert 0.18 < low < mean < high < 0.22
    # A single look at the same rows, with the normal approximation, has bounds of 2.576 standard errors on either side.
    assert (high - low) / 2 < 3 * 2.576 * math.sqrt(0.16 / 20_000)


def test_a_rise_of_the_loss_leaves_the_bounds_of_before() -> None:
    bounds = LossBounds.of(np.random.default_rng(1).normal(0.2, 0.02, 100), 16, 1.0)
    for _ in range(2_000):
        bounds = bounds.with_losses(8, 1.6)
    before = bounds.within(0.99)
    for _ in range(4_000):
        bounds = bounds.with_losses(8, 4.0)
    after = bounds.within(0.99)
    assert before
    assert after
    assert after[1] > before[2]


def test_before_a_whole_block_there_are_none_and_a_correlated_block_is_longer() -> None:
    rng = np.random.default_rng(3)
    assert started(rng, 0.9).block > 5 * started(rng, 0.0).block
    bounds = LossBounds(8, 0.2).with_losses(7, 1.0)
    assert bounds.within(0.99) is None
    assert bounds.with_losses(1, 0.0).within(0.99) == (0.125, 0.0, 1.0)


def test_the_boundary_is_the_least_sum_at_which_the_mixture_reaches_the_inverse_of_alpha() -> None:
    """The boundary for the best single rate is lower, but not far below that of the mixture."""
    rates = np.linspace(0.001, 0.95, 500)
    for variance in (0.1, 5.0, 100.0, 5_000.0):
        alone = float(np.min((math.log(200) + (-np.log1p(-rates) - rates) * variance) / rates))
        assert alone < boundary(variance, 0.005) < 1.5 * alone
    assert boundary(10.0, 0.001) > boundary(10.0, 0.01)
