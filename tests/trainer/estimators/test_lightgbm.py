"""The error names all parameters that are unknown, have a wrong type, or are out of range."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.spec.policy import Trainer
from rondo.trainer.estimators.base import HyperparameterError, Target
from rondo.trainer.estimators.boosting import FitFailedError
from rondo.trainer.estimators.lightgbm import LightGbm

from tests.trainer.estimators.test_xgboost import rows

if TYPE_CHECKING:
    from rondo.contracts.spec.parameters.rules import Value


def checked(params: dict[str, Value], task: str = "binary") -> dict[str, object]:
    return LightGbm(1).check_params(task, Trainer.model_construct(params=params))


def test_good_ones_are_kept_and_defaults_added() -> None:
    assert checked({"num_leaves": 15, "learning_rate": 1}) == {
        "n_estimators": 100,
        "num_leaves": 15,
        "learning_rate": 1,
    }


def test_the_other_names_of_lightgbm_are_taken_too() -> None:
    """For example the names of its scikit-learn interface."""
    written: dict[str, Value] = {"num_trees": 7, "min_child_samples": 5, "reg_lambda": 1.5, "colsample_bytree": 0.5}
    assert checked(written) == {
        "n_estimators": 7,
        "min_data_in_leaf": 5,
        "lambda_l2": 1.5,
        "feature_fraction": 0.5,
    }


@pytest.mark.parametrize(
    ("params", "facts"),
    [
        ({"num_leafs": 3}, "`num_leafs` .*`num_leaves`"),
        ({"seed": 3}, "`seed` .*`trainer.seed`"),
        ({"num_leaves": 1}, "`num_leaves` is 1, .*from 2 to 4096"),
        ({"num_leaves": 2.5}, "`num_leaves` is 2.5, .*whole"),
        ({"num_leaves": True}, "`num_leaves` is True, .*whole"),
        ({"learning_rate": "fast"}, "`learning_rate` is 'fast', .*number"),
        ({"extra_trees": 1}, "`extra_trees` is 1, .*true or false"),
        ({"lambda_l1": float("nan")}, "`lambda_l1` is nan, .*0 or more"),
        ({"reg_alpha": -1}, "`reg_alpha` is -1, .*0 or more"),
        ({"lambda_l1": 1, "reg_alpha": 1}, "`reg_alpha` .*`lambda_l1`"),
        ({"class_weight": "balanced"}, "`class_weight` .*`scale_pos_weight` or `is_unbalance`"),
    ],
)
def test_a_bad_parameter_is_an_error(params: dict[str, Value], facts: str) -> None:
    with pytest.raises(HyperparameterError) as refusal:
        checked(params)
    [problem] = refusal.value.problems
    assert re.match(facts, problem)


def test_all_bad_parameters_are_in_one_error() -> None:
    with pytest.raises(HyperparameterError) as refusal:
        checked({"zzz": 1, "max_bin": 1})
    assert refusal.value.code == "hyperparameters"
    assert [name in problem for name, problem in zip(("zzz", "max_bin"), refusal.value.problems, strict=True)] == [
        True,
        True,
    ]


def test_a_weight_of_the_positive_label_needs_one() -> None:
    with pytest.raises(HyperparameterError) as refusal:
        checked({"scale_pos_weight": 2}, "multiclass")
    (problem,) = refusal.value.problems
    assert re.findall("`.*?`|multiclass", problem) == ["`scale_pos_weight`", "`task: binary`", "multiclass"]


@pytest.mark.parametrize(
    "params",
    [
        {"is_unbalance": True, "scale_pos_weight": 2.0},
        {"min_data_in_leaf": 0, "min_sum_hessian_in_leaf": 0, "learning_rate": 5.0},
        {"bagging_fraction": 1e-6, "bagging_freq": 1},
    ],
    ids=["excluding each other", "no bound of a leaf", "no row of a tree"],
)
def test_what_lightgbm_refuses_fails_with_its_reason(params: dict[str, Value]) -> None:
    """Each of the parameters alone is allowed."""
    matrix, labels = rows()
    chosen = checked(params | {"n_estimators": 50})
    with pytest.raises(FitFailedError) as refusal:
        LightGbm(1).fit(Target("probability", 2), chosen, 1, matrix, labels)
    assert "LightGBM refuses `trainer.params` for these rows (" in str(refusal.value)
    assert "): change what it names" in str(refusal.value)
