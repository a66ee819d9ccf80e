"""The autocorrelation time: 1 for independent rows, and long for correlated ones, also where noise hides it."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from rondo.chassis.profiles.autocorrelation import autocorrelation_time, autocorrelation_time_of_bins


def autoregressive(kept: float, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return an autoregressive series: each row keeps a share of the previous one. The variance is 1."""
    noise = rng.standard_normal(rows + 2_000) * np.sqrt(1 - kept**2)
    # By accumulate, for the import of scipy.signal takes seconds in each worker.
    return np.array([list(accumulate(noise.tolist(), lambda before, value: kept * before + value))])[:, 2_000:]


def test_independent_rows_have_the_time_1() -> None:
    rows = np.random.default_rng(1).standard_normal((3, 5_000))
    assert autocorrelation_time(rows, 1) == 1.0


@pytest.mark.parametrize(("kept", "time"), [(0.9, 19), (0.99, 199)])
def test_the_time_is_that_of_the_process_or_somewhat_longer(kept: float, time: float) -> None:
    rng = np.random.default_rng(2)
    found = np.median([autocorrelation_time(autoregressive(kept, 20_000, rng), 1) for _ in range(5)])
    assert time < found < 2.5 * time


def test_noise_does_not_hide_a_slow_component() -> None:
    rng = np.random.default_rng(3)
    rows = 0.5 * autoregressive(0.99, 20_000, rng) + rng.standard_normal((1, 20_000))
    assert autocorrelation_time(rows, 1) > 150


def test_means_of_stretches_show_a_long_time_as_rows_do() -> None:
    rows = autoregressive(0.99, 40_000, np.random.default_rng(4))
    stretches = rows.reshape(1, 2_500, 16).mean(axis=2)
    assert autocorrelation_time(stretches, 16) == pytest.approx(autocorrelation_time(rows, 1), rel=0.3)


def test_a_constant_component_and_few_means_have_the_time_1() -> None:
    assert autocorrelation_time(np.ones((1, 5_000)), 1) == 1.0
    assert autocorrelation_time(autoregressive(0.9, 39, np.random.default_rng(5)), 1) == 1.0


def test_scales_from_a_bound_on_are_left_to_the_means_of_stretches() -> None:
    rows = autoregressive(0.99, 20_000, np.random.default_rng(6))
    assert autocorrelation_time(rows, 1, below=1) == 1.0
    assert autocorrelation_time(rows, 1, below=2) == autocorrelation_time(rows, 1, below=4)
    slow = 0.3 * rows + np.random.default_rng(7).standard_normal(rows.shape)
    assert autocorrelation_time(slow, 1, below=4) < autocorrelation_time(slow, 1) / 4


@pytest.mark.parametrize("rows", [3, 39, 40, 161, 20_003])
@pytest.mark.parametrize("below", [1, 2, 5, 600])
def test_the_time_of_bins_is_that_of_their_values(rows: int, below: int) -> None:
    rng = np.random.default_rng(8)
    # Bins that follow each other in one stretch, and alternate in the next. Two of them have the same components.
    bins = np.where(np.arange(rows) % 200 < 100, np.arange(rows) // 20 % 6, rng.integers(0, 6, rows))
    values = np.rint(rng.standard_normal((6, 3)) * 2**20) / 2**20
    values[4] = values[2]
    found = autocorrelation_time_of_bins(values, bins, below)
    assert found == pytest.approx(autocorrelation_time(values[bins].T, 1, below), rel=1e-12)
    assert (found > 1) == (below > 1 and rows >= 40)
    assert autocorrelation_time_of_bins(values[:, :0], bins, below) == 1.0
