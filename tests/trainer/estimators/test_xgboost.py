"""Errors name invalid parameters, `rondo apply` knows the parameters of the installed XGBoost, and splits are exact."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost
from rondo.contracts.spec.parameters.xgboost import XGBOOST
from rondo.contracts.spec.policy import Trainer
from rondo.trainer.estimators import tree_ensemble, xgboost_trees
from rondo.trainer.estimators.base import HyperparameterError, Target
from rondo.trainer.estimators.boosting import FitFailedError
from rondo.trainer.estimators.xgboost import REPEATABLE, XgBoost

from tests.trainer.estimators.graphs import difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINARY = Target("probability", 2)
LARGEST = float(np.finfo(np.float32).max)
EDGES = np.array([np.nan, np.inf, -np.inf, LARGEST, -LARGEST, 1e-45, 0.0, -0.0, 1.0], np.float32)


def checked(params: dict[str, Any]) -> dict[str, Any]:
    return XgBoost(1).check_params("binary", Trainer.model_construct(params=params))


def rows(count: int = 500) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(count, 3)).astype(np.float32)
    labels = (matrix[:, 0] + matrix[:, 1] ** 2 > 1).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix, labels


def test_good_ones_are_kept_under_one_name_and_defaults_added() -> None:
    written = {"eta": 0.3, "lambda": 2, "gamma": 1, "max_leaves": 15}
    expected = {"n_estimators": 100, "learning_rate": 0.3, "reg_lambda": 2, "min_split_loss": 1, "max_leaves": 15}
    assert checked(written) == expected


@pytest.mark.parametrize(
    ("params", "facts"),
    [
        ({"max_dept": 3}, "`max_dept` .*`max_depth`"),
        ({"random_state": 3}, "`random_state` .*`trainer.seed`"),
        ({"subsample": 0}, "`subsample` is 0, .*from 1e-06 to 1"),
        ({"grow_policy": 1}, "`grow_policy` is 1, .*depthwise, lossguide"),
        ({"eta": 1, "learning_rate": 1}, "`learning_rate` .*`eta`"),
    ],
)
def test_a_bad_parameter_is_an_error(params: dict[str, Any], facts: str) -> None:
    with pytest.raises(HyperparameterError) as refusal:
        checked(params)
    [problem] = refusal.value.problems
    assert re.match(facts, problem)


def test_no_parameter_of_its_scikit_learn_interface_is_called_unknown() -> None:
    problems = dict(XGBOOST.faults("binary", dict.fromkeys(xgboost.XGBClassifier().get_params(), 1)))
    (_, unknown), *_ = XGBOOST.faults("binary", {"nothing_of_this_name": 1})
    said = unknown.partition(":")[0]
    assert [name for name, problem in problems.items() if problem.startswith(said)] == []


def test_what_the_trainer_sets_is_not_to_be_set() -> None:
    settings = {**REPEATABLE, "seed": 7, "nthread": 2, "objective": "binary:logistic"}
    problems = dict(XGBOOST.faults("binary", settings))
    free = {"validate_parameters"}  # it has no say in the model
    assert [name for name in settings if not problems[name].startswith("is set by") and name not in free] == []


def test_every_parameter_that_can_be_set_is_one_that_xgboost_takes() -> None:
    """XGBoost warns of a parameter that it does not know."""
    matrix, labels = rows()
    values = {name: (rule.words[0] if rule.words else max(rule.low, 1)) for name, rule in XGBOOST.settable.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        XgBoost(1).fit(BINARY, checked(values), 7, matrix, labels)


@pytest.mark.parametrize(
    ("params", "label", "named"),
    [
        ({"min_child_weight": 1e39}, 1.0, "min_child_weight"),
        ({}, np.nan, "Label contains NaN"),
        ({"eval_metric": "of_another_release"}, 1.0, "of_another_release"),
    ],
    ids=["beyond float32", "a check that failed", "a fatal error"],
)
def test_what_xgboost_refuses_fails_with_its_reason_alone(params: dict[str, Any], label: float, named: str) -> None:
    """XGBoost adds the place in its source and a stack trace to some messages."""
    matrix, labels = rows()
    labels[0] = label
    with pytest.raises(FitFailedError) as refusal:
        XgBoost(1).fit(BINARY, {"n_estimators": 1} | params, 7, matrix, labels)
    said = str(refusal.value)
    assert refusal.value.code == "fit_failed"
    assert named in said
    assert not any(part in said for part in (".cc:", "Check failed", "Stack trace", "\n"))


@pytest.mark.parametrize(
    "params",
    [
        {"n_estimators": 20},
        {"n_estimators": 10, "min_split_loss": 5, "subsample": 0.5, "num_parallel_tree": 2},
        {"n_estimators": 10, "grow_policy": "lossguide", "max_leaves": 8, "max_depth": 0},
        {"n_estimators": 1, "min_child_weight": 1e9},
    ],
    ids=["plain", "pruned", "by loss", "a single leaf"],
)
def test_the_graph_is_the_model_at_every_edge(params: dict[str, Any]) -> None:
    matrix, labels = rows()
    model = XgBoost(1).fit(BINARY, checked(params), 7, matrix, labels)
    edges = np.stack([np.resize(np.roll(EDGES, shift), 81) for shift in range(3)], axis=1)
    edges[:27, 0], edges[27:54, 1] = matrix[:27, 0], matrix[:27, 1]
    assert difference(model, BINARY, np.concatenate([matrix, edges])) < 1e-6


def test_it_is_fitted_to_infinite_values_as_to_the_largest_ones() -> None:
    matrix, labels = rows()
    matrix[:50, 0], matrix[50:100, 0] = np.inf, -np.inf
    model = XgBoost(1).fit(BINARY, checked({"n_estimators": 5}), 7, matrix, labels)
    assert difference(model, BINARY, matrix) < 1e-6


def test_thresholds_are_compared_as_the_model_does_at_and_next_to_them() -> None:
    matrix, labels = rows()
    model = XgBoost(1).fit(BINARY, checked({"n_estimators": 5}), 7, matrix, labels)
    trees = xgboost_trees.read(bytes(model._booster.save_raw("json")), BINARY)
    thresholds = np.array(trees.nodes_values, np.float32)
    near = np.concatenate([np.nextafter(thresholds, np.float32(side)) for side in (-np.inf, np.inf)] + [thresholds])
    assert difference(model, BINARY, np.stack([near] * 3, axis=1)) < 1e-6


def test_the_same_rows_give_the_same_trees_whatever_the_threads() -> None:
    matrix, labels = rows()
    params = checked({"n_estimators": 10, "subsample": 0.7, "colsample_bynode": 0.7})
    models = [XgBoost(threads).fit(BINARY, params, 7, matrix, labels) for threads in (1, 1, 2)]
    assert len({str(model.onnx_nodes("matrix", "raw")) for model in models}) == 1
    other = XgBoost(1).fit(BINARY, params, 8, matrix, labels)
    assert str(other.onnx_nodes("matrix", "raw")) != str(models[0].onnx_nodes("matrix", "raw"))


def test_a_model_of_too_many_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_ensemble, "MAX_NODES", 100)
    model = XgBoost(1).fit(BINARY, checked({"n_estimators": 50}), 7, *rows())
    with pytest.raises(tree_ensemble.TooManyNodesError) as refusal:
        model.onnx_nodes("matrix", "raw")
    assert refusal.value.nodes > 100
    assert "the trees of the model have" in str(refusal.value)
    assert "can be served: limit them" in str(refusal.value)
