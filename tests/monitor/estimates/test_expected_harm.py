"""An assessment of whether a change of the inputs is likely to do harm, without a single outcome."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import DriftDetected, PerformanceSuspected
from rondo.monitor.estimates.expected_harm import FEWEST_ROWS, ExpectedLoss
from rondo.monitor.estimates.prediction_history import MOST_PERIODS, PredictionHistory
from rondo.monitor.status.model_status import model_status

from tests.monitor.builders import SPEC
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import Data, Stream, binary_outcomes, features


def sure_rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Data:
    """Return rows for which the model is rather certain, and less so the more they shift."""
    data = features(rng, count, 1.5 - shift)
    return {**data, "score": (1 / (1 + np.exp(-2 * data["x"]))).astype(np.float32)}


SURE = Stream("binary", sure_rows, binary_outcomes)


def after_a_shift(shift: float, *, restart: bool = False) -> DailyScenario:
    scenario = DailyScenario(stream=SURE)
    for day in range(6):
        scenario.day(day, shift=shift if day >= 3 else 0.0, labels=False)
        if restart:
            scenario.restart()
        scenario.close()
    return scenario


@pytest.mark.medium
def test_drift_towards_rows_of_which_the_model_is_unsure_is_suspected_to_do_harm() -> None:
    scenario = after_a_shift(1.5)
    drift, suspicion = scenario.all(DriftDetected)[-1], scenario.all(PerformanceSuspected)[-1]
    loss = drift.estimated_loss
    assert loss
    assert loss.reference
    assert loss.error
    assert loss.value - loss.reference > 3 * loss.error
    rng = np.random.default_rng(1)
    data = sure_rows(rng, 50_000, 1.5)
    score, outcome = data["score"].astype(np.float64), binary_outcomes(rng, data)
    truth = -np.log(np.clip(np.where(outcome > 0.5, score, 1 - score), 0.01, 0.99)).mean() / -np.log(0.01)
    assert abs(loss.value - truth) < 0.02, "the profile of this stream has ten bins, whose rows are not all alike"
    assert (suspicion.estimated_loss, suspicion.since) == (loss, drift.since)
    assert (suspicion.labelled_rows, suspicion.statistics[0].value) == (0, loss.value)
    status = model_status(scenario.state, SPEC, scenario.reference)
    assert (status.verdict.state, status.expected_harm) == ("changed", "likely")
    assert f"{loss.reference:.3f}" in status.verdict.sentence


@pytest.mark.medium
def test_drift_towards_rows_of_which_the_model_is_surer_is_not() -> None:
    scenario = after_a_shift(-0.8)
    loss = scenario.all(DriftDetected)[-1].estimated_loss
    assert loss
    assert loss.reference
    assert loss.value < loss.reference
    assert "PerformanceSuspected" not in scenario.counts()
    status = model_status(scenario.state, SPEC, scenario.reference)
    assert status.expected_harm == "none"
    assert status.estimated_loss
    assert status.estimated_loss.value < loss.reference


@pytest.mark.medium
def test_a_restart_changes_no_estimate() -> None:
    assert after_a_shift(1.5, restart=True).published == after_a_shift(1.5).published


@pytest.mark.parametrize(
    ("value", "error", "rows", "harm"),
    [
        (0.26, 0.019, 5_000, "likely"),
        (0.26, 0.019, FEWEST_ROWS - 1, "uncertain"),
        (0.26, 0.021, 5_000, "uncertain"),
        (0.20, 0.009, 5_000, "none"),
        (0.20, 0.011, 5_000, "uncertain"),
        (0.10, 0.011, 5, "none"),
    ],
)
def test_harm_is_a_rise_beyond_chance_and_none_where_chance_can_not_hide_one(
    value: float, error: float, rows: int, harm: str
) -> None:
    assert ExpectedLoss(value, error, 0.2, rows).harm == harm


@given(st.integers(1, 5 * MOST_PERIODS), st.integers(0, 6 * MOST_PERIODS))
def test_periods_are_bounded_and_lose_no_rows(steps: int, since: int) -> None:
    history = PredictionHistory.empty(2)
    for step in range(steps):
        history = history.with_period(step, np.array([1, 2]))
    assert len(history.starts) <= MOST_PERIODS
    assert history.since(0).tolist() == [steps, 2 * steps]
    found = int(history.since(since)[0])
    # Rows that were merged with rows before that time are left out. The last period is always included.
    assert found >= 1
    assert found <= max(steps - since, steps - int(history.starts[-1]))
