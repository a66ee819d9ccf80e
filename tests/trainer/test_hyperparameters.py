"""A parameter that is unknown, mistyped or out of range is named, all of them at once."""

from __future__ import annotations

import pytest
from rondo.trainer.hyperparameters import HyperparameterError, Value, checked


def test_good_ones_are_kept_and_defaults_added() -> None:
    assert checked({"num_leaves": 15, "learning_rate": 1}) == {
        "n_estimators": 100,
        "num_leaves": 15,
        "learning_rate": 1,
    }


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"num_leafs": 3}, "num_leafs is not known: did you mean num_leaves?"),
        ({"seed": 3}, "seed is not yours to set: set `trainer.seed`"),
        ({"num_leaves": 1}, "num_leaves is 1, and must be from 2 to 4096"),
        ({"num_leaves": 2.5}, "num_leaves is 2.5, and must be an int"),
        ({"num_leaves": True}, "num_leaves is True, and must be an int"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast', and must be a float"),
        ({"extra_trees": 1}, "extra_trees is 1, and must be a bool"),
        ({"lambda_l1": float("nan")}, "lambda_l1 is nan, and must be from 0 to inf"),
    ],
)
def test_a_bad_one_is_told(params: dict[str, Value], problem: str) -> None:
    with pytest.raises(HyperparameterError) as refusal:
        checked(params)
    assert refusal.value.problems == (problem,)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(HyperparameterError, match=r"^`trainer.params` can't be used: .*zzz.*; .*max_bin"):
        checked({"zzz": 1, "max_bin": 1})
