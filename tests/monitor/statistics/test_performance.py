"""The metrics of a window against those of the holdout, for each task."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.tasks.base import FittedTask, Interval, ResidualScale
from rondo.contracts.tasks.binary import roc_auc_error
from rondo.contracts.training_evidence import PerformanceFigure
from rondo.monitor.statistics.performance import Performance, undecided
from rondo.monitor.statistics.probabilities import normal_quantile

from tests.monitor.statistics.windows import RULE, statistics, window
from tests.monitor.streams import BINARY, MULTICLASS, REGRESSION, STREAMS, Stream, counted

TAIL = 0.003
JUDGED = {"binary": {"roc_auc"}, "multiclass": {"accuracy"}, "regression": {"mae", "interval_coverage"}}


def found(stream: Stream, skill: float, count: int, tail: float = TAIL) -> dict[str, tuple[Statistic, bool | None]]:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, count)
    rows = counted(data, stream.outcomes(rng, data, skill))
    counts = window({}, stream.reference).with_labelled(rows)
    return {each[0].statistic: each for each in statistics(Performance(), counts, stream.reference, tail)}


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_every_figure_of_the_sketch_is_given_beside_that_of_the_holdout(stream: Stream) -> None:
    results = found(stream, 1.0, 5_000)
    assert {name for name, (_, exceeded) in results.items() if exceeded is not None} == JUDGED[stream.task]
    assert results.keys() == stream.profile.performance.keys()
    for name, (statistic, _) in results.items():
        if name != "interval_coverage":
            assert statistic.reference == stream.profile.performance[name].value
    assert Performance().tests(stream.reference) == len(JUDGED[stream.task])


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
@pytest.mark.parametrize(
    ("skill", "count", "degraded"), [(1.0, 5_000, False), (0.4, 5_000, True), (0.4, 12, False), (0.98, 100_000, False)]
)
def test_a_loss_beyond_the_spec_and_chance_is_degraded(
    stream: Stream, skill: float, count: int, degraded: bool  # noqa: FBT001
) -> None:  # fmt: skip
    results = found(stream, skill, count)
    for name in JUDGED[stream.task]:
        statistic, exceeded = results[name]
        assert exceeded is degraded, statistic
        assert statistic.p_value is not None


def test_of_roc_auc_the_threshold_is_as_far_below_the_holdout_as_the_spec_or_chance_says() -> None:
    auc, error = 0.74, 0.01
    reference = replace(BINARY.reference, performance={"roc_auc": PerformanceFigure(value=auc, error=error)})
    rng = np.random.default_rng(2)
    data = BINARY.rows(rng, 400)
    outcomes = BINARY.outcomes(rng, data)
    ((statistic, exceeded),) = statistics(
        Performance(), window({}).with_labelled(counted(data, outcomes)), reference, tail=TAIL
    )
    positives = int(outcomes.sum())
    combined = sqrt(roc_auc_error(statistic.value, positives, 400 - positives) ** 2 + error**2)
    assert statistic.threshold == auc - max(RULE.performance_drop, normal_quantile(TAIL) * combined)
    assert (statistic.reference, exceeded) == (auc, statistic.value < statistic.threshold)


def of_numbers(
    value: list[float], outcome: list[float], interval: Interval | None = None
) -> dict[str, tuple[Statistic, bool | None]]:
    """Return the results of a regression whose holdout had an MAE of 10, without chance."""
    scale = ResidualScale(residual=2.0**-10, label=1.0, center=0.0)
    task = FittedTask(task="regression", scale=scale, interval=interval)
    mine = replace(REGRESSION.reference, task=task, performance={"mae": PerformanceFigure(value=10.0)})
    data = {name: np.array(value, np.float32) + bound for name, bound in (("value", 0), ("low", -20), ("high", 20))}
    counts = window({}, mine).with_labelled(counted(data, np.array(outcome)))
    return {each[0].statistic: each for each in statistics(Performance(), counts, mine, tail=0.4999999)}


@pytest.mark.parametrize(("residual", "degraded"), [(10.0, False), (10.25, False), (10.4, True), (5.0, False)])
def test_of_mae_the_spec_gives_a_share_of_the_holdouts(residual: float, degraded: bool) -> None:  # noqa: FBT001
    statistic, exceeded = of_numbers([0.0] * 50, [residual, -residual] * 25)["mae"]
    assert (statistic.threshold, exceeded) == (pytest.approx(10.3), degraded)


@pytest.mark.parametrize(("outside", "degraded"), [(0, False), (10, False), (20, True)])
def test_an_interval_is_held_to_its_stated_coverage(outside: int, degraded: bool) -> None:  # noqa: FBT001
    outcomes = [0.0] * (100 - outside) + [21.0] * outside
    interval = Interval(coverage=0.9, half_width=20.0)
    statistic, exceeded = of_numbers([0.0] * 100, outcomes, interval)["interval_coverage"]
    assert (statistic.value, statistic.reference) == (1 - outside / 100, 0.9)
    assert exceeded is degraded
    assert of_numbers([0.0] * 100, outcomes)["interval_coverage"][1] is None


def test_outcomes_of_a_class_that_the_model_does_not_know_are_wrong_and_visible() -> None:
    rng = np.random.default_rng(1)
    data = MULTICLASS.rows(rng, 2_000)
    outcomes = MULTICLASS.outcomes(rng, data)
    outcomes[:500] = "yew"
    counts = window({}, MULTICLASS.reference).with_labelled(counted(data, outcomes))
    results = {each[0].statistic: each for each in statistics(Performance(), counts, MULTICLASS.reference)}
    assert results["unknown_classes"] == (
        Statistic(statistic="unknown_classes", value=0.25, reference=0.0), None
    )  # fmt: skip
    assert results["accuracy"][0].value == (outcomes == data["label"]).mean()
    assert results["accuracy"][1]


def test_without_a_value_or_a_holdouts_the_primary_metric_has_no_result() -> None:
    data = BINARY.rows(np.random.default_rng(1), 500)
    one_class = window({}).with_labelled(counted(data, np.ones(500)))
    assert list(statistics(Performance(), one_class)) == []
    assert undecided(BINARY.reference) == "outcomes of one class only"
    lacking = replace(MULTICLASS.reference, performance={})
    oaks = counted(MULTICLASS.rows(np.random.default_rng(1), 500), np.array(["oak"] * 500))
    labelled = window({}, lacking).with_labelled(oaks)
    assert {exceeded for _, exceeded in statistics(Performance(), labelled, lacking)} == {None}
    assert Performance().tests(lacking) == 0
    assert undecided(lacking) == "no accuracy of the holdout to compare with"


@pytest.mark.parametrize("residuals", ["laplace", "skewed", "heavy"])
def test_mae_exceeds_by_chance_no_more_often_than_the_tail(residuals: str) -> None:
    """With the spec's own figure at zero, so that only chance decides; 200 outcomes a window."""
    rng, tail, tries, rows = np.random.default_rng(5), 0.01, 1_000, 200
    draw = {
        "laplace": lambda size: rng.laplace(0, 2, size),
        "skewed": lambda size: rng.lognormal(0, 1, size) - np.exp(0.5),
        "heavy": lambda size: rng.standard_t(3, size),
    }[residuals]
    task = REGRESSION.profile.task.model_copy(update={"interval": None})
    rule = RULE.model_copy(update={"performance_drop": 0.0})
    value = np.zeros(rows, np.float32)
    exceeded = 0
    for _ in range(tries):
        holdout = np.abs(draw(2_000))
        mae = PerformanceFigure(value=holdout.mean(), error=holdout.std() / sqrt(2_000))
        reference = replace(REGRESSION.reference, task=task, performance={"mae": mae})
        data = {"value": value, "low": value, "high": value}
        counts = window({}, reference).with_labelled(counted(data, draw(rows)))
        results = Performance().evaluate(counts, reference, rule, tail)
        exceeded += sum(bool(each.exceeded) for each in results)
    # Three standard deviations above the stated rate.
    assert exceeded / tries <= tail + 3 * (tail * (1 - tail) / tries) ** 0.5
