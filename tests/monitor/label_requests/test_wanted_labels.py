"""The sample of predictions whose outcome is wanted: within the budget, always the same, and unbiased."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.monitor.estimates.label_sampling import probabilities, sampled, uniforms
from rondo.monitor.label_requests.wanted_labels import wanted_labels

from tests.monitor.alerts.alarms import micros
from tests.monitor.builders import MODEL, outcomes, times
from tests.monitor.scenarios import DailyScenario


def ids(count: int, prefix: str = "request") -> pa.ChunkedArray:
    return pa.chunked_array([[f"{prefix}-{number}" for number in range(count)]])


def test_the_random_numbers_are_uniform_and_a_function_of_the_id_alone() -> None:
    found = uniforms(ids(20_000))
    assert np.histogram(found, 10, (0, 1))[0] == pytest.approx(2_000, abs=250)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.03
    assert len(np.unique(found)) == 20_000
    assert (uniforms(ids(20_000).slice(7, 50)) == found[7:57]).all()
    assert (
        uniforms(pa.chunked_array([["ab", "a", "ba"], ["b"]])) == uniforms(pa.chunked_array([["ab", "a", "ba", "b"]]))
    ).all()
    assert len(set(uniforms(pa.chunked_array([["ab", "a", "ba", "b"]])))) == 4
    assert len(uniforms(pa.chunked_array([[]], pa.string()))) == 0


def test_probabilities_follow_the_deviation_and_spend_the_budget() -> None:
    deviations = np.array([0.0, 0.1, 0.1, 0.2, 5.0])
    found = probabilities(deviations, 2)
    assert found.sum() == pytest.approx(2)
    assert found[4] == 1
    assert found[0] > 0, "where a model is sure and wrong, only outcomes show it"
    assert found[3] <= 2 * found[1] * 1.0001
    assert probabilities(deviations, 5).tolist() == [1.0] * 5
    assert probabilities(np.zeros(10), 2) == pytest.approx(0.2)


def test_at_most_the_budget_is_drawn_of_each_day_and_the_estimate_is_unbiased() -> None:
    rng, estimates, naive = np.random.default_rng(1), [], []
    deviations = rng.uniform(0.05, 0.5, 4_000)
    losses = deviations**2 + rng.uniform(0, 0.05, 4_000)
    days = np.repeat([3, 9], 2_000)
    for _ in range(200):
        chosen, chances = sampled(days, deviations, rng.random(4_000), 100)
        assert np.bincount(days[chosen])[[3, 9]].tolist() == [100, 100]
        estimates.append(float((losses[chosen] / chances).sum() / 4_000))
        naive.append(float(losses[chosen].mean()))
    assert np.mean(estimates) == pytest.approx(losses.mean(), rel=0.01)
    assert np.mean(naive) > 1.2 * losses.mean()


def wanted(scenario: DailyScenario, budget: int) -> set[str]:
    scenario.state.settle()
    found = wanted_labels(scenario.state.snapshot(), scenario.reference, budget)
    assert (found.model, found.version) == (MODEL, 1)
    return {each.id for each in found.wanted}


def test_the_same_predictions_are_wanted_until_they_have_an_outcome() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False)
    first = wanted(scenario, 50)
    assert len(first) == 50
    some = sorted(first)[:20]
    scenario.add_outcomes(outcomes(list(some), np.ones(20), times(0.1, 20)))
    assert wanted(scenario, 50) == first - set(some)
    scenario.day(1, labels=False)
    later = wanted(scenario, 50)
    assert first - set(some) <= later
    assert len(later) == 80
    scenario.restart()
    assert wanted(scenario, 50) == later


def test_predictions_of_a_window_that_closed_without_outcomes_are_not_wanted() -> None:
    scenario = DailyScenario()
    for day in range(4):
        scenario.day(day, labels=False)
    before = wanted(scenario, 50)
    scenario.close()
    after = wanted(scenario, 50)
    assert scenario.state.closed_until == micros(3)
    assert len(before) == 200
    assert after == {each for each in before if each.startswith("3-")}
    assert scenario.state.unmatched.predictions.num_rows > 1_000, "their outcomes would count as late"


def test_uncertain_predictions_are_wanted_most_and_each_has_its_probability() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False, count=4_000)
    found = wanted_labels(scenario.state, scenario.reference, 400, uncertain=True)
    assert {each.probability for each in wanted_labels(scenario.state, scenario.reference, 400).wanted} == {0.1}
    table = scenario.state.unmatched.predictions
    score = dict(zip(table["id"].to_pylist(), table["number"].to_pylist(), strict=True))
    # At a score of 1/2 the loss is certain, because it is the same for both outcomes.
    deviation = {each: np.sqrt(p * (1 - p)) * abs(np.log(p / (1 - p))) for each, p in score.items()}
    assert np.mean([deviation[each.id] for each in found.wanted]) > 1.1 * np.mean(list(deviation.values()))
    assert (len(found.wanted), found.unlabelled) == (400, 4_000)
    assert sum(1 / each.probability for each in found.wanted) == pytest.approx(4_000, rel=0.1)
    assert [each.predicted_at for each in found.wanted] == sorted(
        (each.predicted_at for each in found.wanted), reverse=True
    )


def test_without_a_calibration_every_prediction_is_as_likely() -> None:
    scenario = DailyScenario()
    scenario.day(0, labels=False)
    found = wanted_labels(scenario.state, None, 100, uncertain=True)
    assert {each.probability for each in found.wanted} == {0.1}
    assert wanted_labels(DailyScenario().state, None, 100).wanted == ()
