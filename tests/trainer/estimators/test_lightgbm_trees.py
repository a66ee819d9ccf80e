"""Thresholds become float32 without changing an answer, and what can't be put in the graph is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.trainer.estimators.base import Target
from rondo.trainer.estimators.lightgbm import LightGbm
from rondo.trainer.estimators.lightgbm_trees import UnsupportedSplitError, float32_thresholds, read

from tests.trainer.estimators.graphs import difference


def _in_graph(threshold: float) -> float:
    return float(float32_thresholds(np.array([threshold]))[0])


def _model(*trees: dict[str, str]) -> str:
    """Return trees as LightGBM writes them."""
    written = ["\n".join([f"Tree={index}", *(f"{key}={value}" for key, value in tree.items())])
               for index, tree in enumerate(trees)]  # fmt: skip
    return "tree\nversion=v4\n\n" + "\n\n\n".join(written) + "\n\n\nend of trees\n\nfeature_importances:\nx=1\n"


def _stump(decision_type: int = 2, threshold: float = 0.5, **fields: str) -> str:
    """Return a model with one split of feature 1.

    `decision_type` has the bits of LightGBM: 1 for a category, 2 for left by default, 4 and 8 for the missing type.
    """
    tree = {
        "num_leaves": "2", "split_feature": "1", "threshold": f"{threshold:.17g}", "decision_type": f"{decision_type}",
        "left_child": "-1", "right_child": "-2", "leaf_value": "0.5 -0.5", "is_linear": "0",
    }  # fmt: skip
    return _model(tree | fields)


@given(st.floats(width=32, allow_nan=False), st.floats(allow_nan=False, min_value=-1e299, max_value=1e299))
def test_every_float32_falls_on_the_same_side(value: float, threshold: float) -> None:
    assert (value <= _in_graph(threshold)) == (value <= threshold)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from([-1, 0, 1]))
def test_so_does_one_that_is_next_to_the_threshold(value: float, step: int) -> None:
    threshold = float(value) if step == 0 else math.nextafter(value, step * math.inf)
    assert (value <= _in_graph(threshold)) == (value <= threshold)


def test_lightgbms_infinity_as_a_threshold_accepts_every_value() -> None:
    assert _in_graph(1e300) == np.inf


@pytest.mark.parametrize(
    ("decision_type", "threshold", "left"),
    [
        (8 + 2, 0.5, 1),
        (8, 0.5, 0),
        (0, 0.5, 1),
        (2, -0.5, 0),
    ],
    ids=["NaN, left", "NaN, right", "None, left of zero", "None, right of zero"],
)
def test_a_missing_value_takes_the_learned_branch_or_that_of_zero(
    decision_type: int, threshold: float, left: int
) -> None:
    assert read(_stump(decision_type, threshold), 1).nodes_missing_value_tracks_true[0] == left


def test_splits_come_before_leaves() -> None:
    trees = read(_stump(), 1)
    assert trees.nodes_modes == ["BRANCH_LEQ", "LEAF", "LEAF"]
    assert (trees.nodes_featureids[0], trees.nodes_values[0]) == (1, 0.5)
    assert (trees.nodes_truenodeids[0], trees.nodes_falsenodeids[0]) == (1, 2)
    assert dict(zip(trees.target_nodeids, trees.target_weights, strict=True)) == {1: 0.5, 2: -0.5}


def test_a_tree_without_a_split_is_a_leaf_of_its_class() -> None:
    """LightGBM writes the other fields empty then."""
    leaf = {"num_leaves": "1", "split_feature": "", "threshold": "", "leaf_value": "0.25", "is_linear": "0"}
    trees = read(_model(leaf, leaf, leaf), 2)
    assert (trees.nodes_modes, trees.target_ids, trees.target_weights) == (["LEAF"] * 3, [0, 1, 0], [0.25] * 3)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({"decision_type": "1"}, "=="), ({"decision_type": "4"}, "Zero"), ({"is_linear": "1"}, "linear")],
)
def test_another_kind_of_split_is_refused(fields: dict[str, str], kind: str) -> None:
    with pytest.raises(UnsupportedSplitError) as caught:
        read(_stump(**fields), 1)
    assert caught.value.code == "unsupported_split"
    assert kind in caught.value.kind


@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_of_the_library_is_read_as_it_predicts(classes: int) -> None:
    """One column has missing values, and one tree is deep."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3_000, 3)).astype(np.float32)
    matrix[rng.random(3_000) < 0.2, 0] = np.nan
    labels = (np.nan_to_num(matrix[:, 0]) + matrix[:, 1] > 0).astype(int) + (classes > 2) * (matrix[:, 2] > 0)
    target = Target("probability", 2) if classes == 2 else Target("probabilities", classes)
    params = {"n_estimators": 7, "num_leaves": 200, "min_data_in_leaf": 1}
    model = LightGbm(1).fit(target, params, 1, matrix, labels.astype(np.float32))
    edge = np.vstack([matrix, np.full((1, 3), np.nan, np.float32), np.full((1, 3), np.inf, np.float32)])
    assert difference(model, target, edge) < 1e-6
