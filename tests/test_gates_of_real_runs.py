"""Each gate passes a candidate and refuses one, on the evidence of real trainings.

For every task a good and a poor model are trained, and each is evaluated beside the other as the champion.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.spec.model import FairnessGate, Gates, ModelSpec
from rondo.contracts.tasks.registry import METRICS, TASKS
from rondo.registry.gates.champion_comparison import ComparedChampion
from rondo.registry.gates.gates import evaluate_gates
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.evaluation.candidate import ChampionModel
from rondo.trainer.evaluation.training_evidence import assemble_evidence
from rondo.trainer.worker.app import pipeline

from tests.trainer.test_kinds import LATER, rows, spec

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import Evidence
    from rondo.trainer.evaluation.candidate import FittedCandidate

pytestmark = pytest.mark.medium
CHAMPION = ComparedChampion(1)
# Beside its metrics, a task may have rates of its decisions: of selection, of true and of false positives.
OF_GROUPS = [(task, metric) for task in TASKS for metric in (*TASKS[task].metrics, *TASKS[task].rates)]
PAIRS = [(task, metric) for task in TASKS for metric in TASKS[task].metrics]
GOOD = {"params": {"n_estimators": 60, "num_leaves": 15}, "interval": 0.8}
POOR = {"params": {"n_estimators": 1, "num_leaves": 2, "learning_rate": 0.01}, "interval": 0.8}
POOR_BY = {
    # A model that always predicts the mean is well calibrated. A model that has memorized rows is not.
    "ece": {"params": {"n_estimators": 200, "num_leaves": 63, "learning_rate": 0.5, "min_data_in_leaf": 1}},
    # The width of an interval follows from its holdout. An interval with a lower coverage is narrower.
    "interval_coverage": {"params": GOOD["params"], "interval": 0.5},
}
# A threshold by cost uses half of the holdout. On the rest these two models differ only by chance.
WHOLE_HOLDOUT = ("ece", "recall")
WITH_OTHER_MODELS = {*POOR_BY, *WHOLE_HOLDOUT}


def described(task: str, model: dict[str, Any]) -> ModelSpec:
    trainer = {"kind": "lightgbm", "params": model["params"], "holdout": 0.4}
    prediction = {
        "binary": {"cost": {"false_positive": 1, "false_negative": 2}} if model.get("cost", True) else {},
        "regression": {"interval": model.get("interval")},
    }
    gates = {
        **{name: {"not_worse_than_champion": 0} for name in TASKS[task].metrics},
        "slices": ["carrier"],
        "fairness": {"by": "carrier", "max_gap": 0},
        "min_slice_rows": 20,
    }
    asked = {"prediction": prediction.get(task, {}), "gates": gates}
    return ModelSpec.model_validate(spec(task, trainer).as_dict() | asked)


def evidence(task: str, *, good: bool, metric: str = "") -> Evidence:
    """Return the evidence of one model against the other, which is the better or the worse one by a metric."""
    models = [each | {"cost": metric not in WHOLE_HOLDOUT} for each in (GOOD, POOR_BY.get(metric, POOR))]
    return beside(task, *map(json.dumps, models if good else reversed(models)))


@cache
def beside(task: str, mine: str, other: str) -> Evidence:
    made, frame = pipeline(1), TrainingSet(rows(task, 1_000), (), LATER, None, LATER)
    candidate, champion = (made.fit(described(task, json.loads(model)), frame) for model in (mine, other))
    spec_of_mine = described(task, json.loads(mine))
    compared = made.evaluate(spec_of_mine, candidate, ChampionModel(1, champion.model))
    return assemble_evidence(spec_of_mine, frame, compared, "test")


def passes(task: str, gates: dict[str, Any], *, good: bool, gate: str, metric: str = "") -> bool:
    """Return whether a gate passes. It is refused with the figure in its message."""
    found = evaluate_gates(evidence(task, good=good, metric=metric), Gates.model_validate(gates), CHAMPION)
    (result,) = (each for each in found if each.gate == gate)
    assert result.observed is not None, result.message
    return result.passed


@pytest.mark.parametrize(("task", "metric"), PAIRS)
def test_a_bound_on_a_metric_passes_and_refuses(task: str, metric: str) -> None:
    value, beyond = evidence(task, good=True).candidate.metrics[metric], 1e-6
    for bound, better in (("min", value - beyond), ("max", value + beyond)):
        worse = value + beyond if bound == "min" else value - beyond
        assert passes(task, {metric: {bound: better}}, good=True, gate=f"{metric}.{bound}")
        assert not passes(task, {metric: {bound: worse}}, good=True, gate=f"{metric}.{bound}")


@pytest.mark.parametrize(
    ("task", "metric"),
    [pytest.param(*pair, marks=pytest.mark.slow if pair[1] in WITH_OTHER_MODELS else ()) for pair in PAIRS],
)
def test_a_model_that_is_worse_than_the_champion_is_refused_and_with_a_tolerance_passes(task: str, metric: str) -> None:
    gate, refused = f"{metric}.not_worse_than_champion", 0
    # A poor model may have the better recall, because it predicts everyone as positive, so either may be worse.
    for good in (True, False):
        beside_the_other = evidence(task, good=good, metric=metric)
        (found,) = (each for each in beside_the_other.comparisons if each.metric == metric)
        champion = beside_the_other.champion
        assert champion is not None
        worse = found.low / abs(champion.metrics[metric]) if METRICS[metric].relative else found.low
        assert passes(
            task,
            {metric: {"not_worse_than_champion": max(worse, 0) + 1e-6}},
            good=good,
            gate=gate,
            metric=metric,
        )
        if worse > 0:
            gates = {metric: {"not_worse_than_champion": worse / 2}}
            assert not passes(task, gates, good=good, gate=gate, metric=metric)
            refused += 1
    assert refused == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_slice_is_refused_and_passes(task: str) -> None:
    few = {"min_slice_rows": 20}
    assert passes(task, {"slices": ["carrier"], **few}, good=True, gate="slices.carrier")
    assert not passes(task, {"slices": ["carrier"], **few}, good=False, gate="slices.carrier")


@pytest.mark.parametrize(("task", "metric"), PAIRS)
def test_a_slice_passes_and_is_refused_by_each_metric(task: str, metric: str) -> None:
    """The tolerance is a millionth above or below the loss of the slice that lost most."""
    wanted = {"slices": ["carrier"], "slice_metric": metric, "min_slice_rows": 20}
    # A poor model may be the better one by a metric. Then the good model is the one that has lost.
    either = [of_slices(task, wanted, *pair) for pair in ((POOR, GOOD), (GOOD, POOR))]
    found, loss = max(either, key=lambda each: each[1])
    assert loss > 1e-3
    for tolerance, accepted in ((loss + 1e-6, True), (loss - 1e-6, False)):
        gates = Gates.model_validate(wanted | {"slice_tolerance": tolerance})
        (result,) = (each for each in evaluate_gates(found, gates, CHAMPION) if each.gate == "slices.carrier")
        assert (result.passed, result.observed) == (accepted, pytest.approx(loss))
        assert METRICS[metric].title in result.message


def of_slices(task: str, wanted: dict[str, Any], mine: dict[str, Any], other: dict[str, Any]) -> tuple[Evidence, float]:
    """Return the evidence by a spec that names a metric of the slices, and the largest loss of a slice."""
    asked = described(task, mine)
    asked = asked.model_copy(update={"gates": Gates.model_validate(wanted)})
    champion = ChampionModel(1, fitted(task, json.dumps(other)).model)
    made, frame = pipeline(1), TrainingSet(rows(task, 1_000), (), LATER, None, LATER)
    found = assemble_evidence(asked, frame, made.evaluate(asked, fitted(task, json.dumps(mine)), champion), "test")
    metric = METRICS[wanted["slice_metric"]]
    assert found.champion is not None
    before, after = (
        {each.value: each.metrics[metric.name] for each in evaluated.slices}
        for evaluated in (found.champion, found.candidate)
    )
    assert before.keys() == after.keys()
    assert len(after) == 3
    losses = (metric.loss(after[value], before[value]) / (before[value] if metric.relative else 1) for value in after)
    return found, max(losses)


@pytest.mark.parametrize(("task", "metric"), OF_GROUPS)
def test_the_gap_between_groups_by_each_metric_passes_and_is_refused(task: str, metric: str) -> None:
    """The bound is a millionth above or below the gap, which the message has."""
    wanted = {"by": "carrier", "metric": metric}
    found = by_groups(task, metric)
    figures = {each.value: each.metrics[metric] for each in found.candidate.slices}
    gap = max(figures.values()) - min(figures.values())
    assert len(figures) == 3
    assert gap > 1e-3
    for bound, fair in ((gap + 1e-6, True), (gap - 1e-6, False)):
        gates = Gates.model_validate({"fairness": wanted | {"max_gap": bound}, "min_slice_rows": 20})
        (result,) = (each for each in evaluate_gates(found, gates, None) if each.gate == "fairness.carrier")
        assert (result.passed, result.observed) == (fair, pytest.approx(gap))


def by_groups(task: str, metric: str) -> Evidence:
    """Return the evidence of the good model by a spec that names a metric of the groups."""
    asked = described(task, GOOD)
    fairness = asked.gates.model_copy(
        update={"fairness": FairnessGate(by="carrier", metric=metric, max_gap=0), "slices": ()}
    )
    asked = asked.model_copy(update={"gates": fairness})
    made, frame = pipeline(1), TrainingSet(rows(task, 1_000), (), LATER, None, LATER)
    return assemble_evidence(asked, frame, made.evaluate(asked, fitted(task, json.dumps(GOOD)), None), "test")


@cache
def fitted(task: str, model: str) -> FittedCandidate:
    made, frame = pipeline(1), TrainingSet(rows(task, 1_000), (), LATER, None, LATER)
    return made.fit(described(task, json.loads(model)), frame)


def test_every_metric_belongs_to_a_task() -> None:
    assert {metric for _, metric in PAIRS} == set(METRICS)
