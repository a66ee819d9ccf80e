"""Thresholds become float32 without changing an answer, and what can't be put in the graph is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.trainer.estimators.lightgbm_trees import UnsupportedSplitError, float32_thresholds, read

LEAF = {"leaf_value": 0.5}


def _in_graph(threshold: float) -> float:
    return float(float32_thresholds(np.array([threshold]))[0])


def _stump(**split: object) -> dict[str, object]:
    node = {"split_feature": 1, "threshold": 0.5, "decision_type": "<=", "default_left": True, "missing_type": "None"}
    return {"tree_info": [{"tree_structure": node | split | {"left_child": LEAF, "right_child": {"leaf_value": -0.5}}}]}


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
    ("split", "left"),
    [
        ({"missing_type": "NaN", "default_left": True}, 1),
        ({"missing_type": "NaN", "default_left": False}, 0),
        ({"missing_type": "None", "threshold": 0.5, "default_left": False}, 1),
        ({"missing_type": "None", "threshold": -0.5, "default_left": True}, 0),
    ],
)
def test_a_missing_value_takes_the_learned_branch_or_that_of_zero(split: dict[str, object], left: int) -> None:
    assert read(_stump(**split), 1).nodes_missing_value_tracks_true[0] == left


def test_nodes_are_in_pre_order() -> None:
    trees = read(_stump(), 1)
    assert trees.nodes_modes == ["BRANCH_LEQ", "LEAF", "LEAF"]
    assert (trees.nodes_truenodeids[0], trees.nodes_falsenodeids[0]) == (1, 2)
    assert dict(zip(trees.target_nodeids, trees.target_weights, strict=True)) == {1: 0.5, 2: -0.5}


def test_a_deep_tree_does_not_exhaust_the_stack() -> None:
    node: dict[str, object] = dict(LEAF)
    for _ in range(5_000):
        node = _stump()["tree_info"][0]["tree_structure"] | {"left_child": node, "right_child": LEAF}  # type: ignore[index]
    assert len(read({"tree_info": [{"tree_structure": node}]}, 1).nodes_modes) == 10_001


@pytest.mark.parametrize("split", [{"decision_type": "=="}, {"missing_type": "Zero"}])
def test_another_kind_of_split_is_refused(split: dict[str, object]) -> None:
    with pytest.raises(UnsupportedSplitError) as caught:
        read(_stump(**split), 1)
    assert caught.value.code == "unsupported_split"
    assert str(*split.values()) in caught.value.kind
