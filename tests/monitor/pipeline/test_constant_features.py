"""A feature that is constant, or nearly so, in the training data: bins of its quantiles alone would show no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.events.monitoring import DriftDetected, WindowClosed

from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import Data, Stream, binary_outcomes, binary_rows

if TYPE_CHECKING:
    from collections.abc import Callable


def constant(rng: np.random.Generator, count: int, shift: float) -> np.ndarray:
    """Return 7, and another value in a share `shift` of the rows."""
    return np.where(rng.random(count) < shift, 8.0, 7.0)


def mostly_false(rng: np.random.Generator, count: int, shift: float) -> np.ndarray:
    return (rng.random(count) < 0.03 + shift).astype(float)


def mostly_zero(rng: np.random.Generator, count: int, shift: float) -> np.ndarray:
    return np.where(rng.random(count) < 0.97 - shift, 0.0, rng.exponential(5, count))


def stream_of(column: Callable[[np.random.Generator, int, float], np.ndarray]) -> Stream:
    """Return a stream whose feature `x` is `column`. The scores do not depend on it."""

    def rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
        return {**binary_rows(rng, count), "x": column(rng, count, shift).astype(np.float32)}

    return Stream("binary", rows, binary_outcomes)


@pytest.mark.sampled(1)
@pytest.mark.medium
@pytest.mark.parametrize("column", [constant, mostly_false, mostly_zero])
def test_other_values_of_a_feature_with_hardly_any_are_a_drift(column: Callable[..., np.ndarray]) -> None:
    scenario = DailyScenario(stream=stream_of(column))
    for day in range(8):
        scenario.day(day, shift=0.0 if day < 3 else 0.3)
        scenario.close()
        if day == 2:
            assert scenario.all(DriftDetected) == []
    found, *_ = scenario.all(DriftDetected)
    assert "x" in {each.feature for each in found.statistics}
    first, *_, last = [
        each.value
        for window in scenario.all(WindowClosed)
        for each in window.statistics
        if (each.feature, each.statistic) == ("x", "psi")
    ]
    assert first < 0.05
    assert last > 0.5
