"""The interval covers the mean at all times, and the need is that of simulated rollouts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rondo.registry.rollout_evidence.interval import Moments, half_width, needed_blocks


def test_moments_are_those_of_the_differences() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.1, 0.02, 50)
    moments = Moments()
    for value in values.tolist():
        moments = moments.plus(value)
    assert (moments.mean, moments.deviation) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    assert Moments().mean == Moments().plus(0.3).deviation == 0


@pytest.mark.medium
def test_the_interval_covers_zero_at_all_times() -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(300):
        moments, outside = Moments(), False
        for value in rng.normal(0, 1, 400).tolist():
            moments = moments.plus(value)
            width = half_width(moments, 0.1)
            # It is asymptotic: before a few dozen differences the deviation is not known well enough.
            outside |= moments.count >= 30 and width is not None and abs(moments.mean) > width
        missed += outside
    assert missed <= 0.1 * 300


def test_the_interval_is_that_of_the_paper() -> None:
    """The value is that of formula (6) with sd 1, n = 100, alpha = 0.05 and rho tuned for 5,000, computed by hand."""
    moments = Moments(count=100, total=0, squares=100)
    rho = math.sqrt((-2 * math.log(0.05) + math.log(-2 * math.log(0.05)) + 1) / 5_000)
    expected = math.sqrt(2 * (100 * rho**2 + 1) / (100**2 * rho**2) * math.log(math.sqrt(100 * rho**2 + 1) / 0.05))
    assert half_width(moments, 0.05) == pytest.approx(expected)
    assert half_width(Moments(count=1), 0.05) is None


def test_the_need_grows_with_the_variance_and_falls_with_the_margin() -> None:
    need = needed_blocks(25.0, 0.5)
    assert need is not None
    assert (need.median, need.nine_of_ten) == (600, 1_400)
    assert needed_blocks(25.0, 0.0) is None
