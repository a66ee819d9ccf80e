"""The mean loss from few outcomes and all predictions: right, and less uncertain than the outcomes alone."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.contracts.events.monitoring import WindowClosed
from rondo.monitor.estimates.prediction_powered import prediction_powered

from tests.monitor.builders import EPOCH, outcomes, predictions, spec, times
from tests.monitor.estimates.test_estimator import FITTED, reference_of
from tests.monitor.scenarios import DailyScenario
from tests.monitor.streams import STREAMS, Stream, counted


def rows_of(rng: np.random.Generator, count: int, *, calibrated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and outcomes of a confident model with many certain rows.

    Unless it is `calibrated`, the outcomes do not follow the scores.
    """
    logit = rng.normal(0.0, 3.0, count)
    outcome = rng.random(count) < (1 / (1 + np.exp(-logit)) if calibrated else 0.5)
    return (1 / (1 + np.exp(-logit))).astype(np.float32), outcome.astype(np.float64)


@pytest.mark.medium
@pytest.mark.parametrize("calibrated", [True, False])
def test_it_is_right_whether_the_holdout_still_holds_or_not(calibrated: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(1)
    score, outcome = rows_of(rng, 20_000, calibrated=True)
    reference = reference_of(FITTED, counted({"score": score}, outcome))
    assert reference.estimator
    column, deviations, widths, alone = reference.estimator.column, [], [], []
    for _ in range(200):
        score, outcome = rows_of(rng, 2_000, calibrated=calibrated)
        of_outcome = np.where(outcome > 0.5, score, 1 - score)
        losses = np.log(np.clip(of_outcome, 0.01, 0.99)) / np.log(0.01)
        bins = column.bins_of(score)
        predicted = np.bincount(bins, minlength=column.size - 1)
        few, mine = slice(0, 200), losses[:200]
        parts = np.ones(200), mine, mine**2
        labelled = np.array([np.bincount(bins[few], each, minlength=column.size - 1) for each in parts])
        found = prediction_powered(reference.estimator.figures, predicted, labelled)
        assert found
        assert found.error
        # The deviation is from the mean loss of all these rows. The mean of the population is farther away.
        deviations.append((found.value - losses.mean()) / found.error)
        widths.append(found.error)
        alone.append(mine.std() / np.sqrt(200))
    assert abs(np.mean(deviations)) < 0.2
    assert np.std(deviations) < 1.1
    assert np.mean(widths) < np.mean(alone) * (0.95 if calibrated else 1.02)


def test_with_too_few_outcomes_or_many_it_is_not_needed() -> None:
    score, outcome = rows_of(np.random.default_rng(1), 1_000, calibrated=True)
    reference = reference_of(FITTED, counted({"score": score}, outcome))
    assert reference.estimator
    size = reference.estimator.column.size - 1
    predicted = np.bincount(reference.estimator.column.bins_of(score), minlength=size)
    for share in (0.0, 0.02, 0.6):
        assert prediction_powered(reference.estimator.figures, predicted, share * np.array([predicted] * 3)) is None


@pytest.mark.medium
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_a_window_with_few_outcomes_has_it_also_after_a_restart_and_corrections(stream: Stream) -> None:
    published = []
    for restart in (False, True):
        scenario = DailyScenario(spec=spec(stream.task), stream=stream)
        data = stream.rows(np.random.default_rng(1), 1_000)
        known = stream.outcomes(np.random.default_rng(2), data)
        ids = [f"p{i}" for i in range(1_000)]
        scenario.state.count_predictions(predictions(data, times(0, 1_000), ids), 1, scenario.reference)
        scenario.add_outcomes(outcomes(list(ids[:200]), known[:200][::-1].copy(), times(0.05, 200)))
        scenario.state.settle()
        if restart:
            scenario.restart()
        scenario.add_outcomes(outcomes(list(ids[:200]), known[:200], times(0.06, 200)))
        scenario.close()
        scenario.day(1, labels=False)
        scenario.day(2, labels=False)
        scenario.close()
        published.append(next(each for each in scenario.all(WindowClosed) if each.window.start == EPOCH))
    first, second = published
    assert first.estimates == second.estimates
    (powered,) = (each for each in first.estimates if each.method == "prediction_powered")
    (expected,) = (each for each in first.estimates if (each.method, each.statistic) == ("expected", "loss"))
    assert powered.statistic == "loss"
    assert powered.error
    assert abs(powered.value - expected.value) < 4 * powered.error
    assert powered.reference == expected.reference
