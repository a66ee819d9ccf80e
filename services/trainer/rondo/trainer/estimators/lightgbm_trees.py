"""The trees of a LightGBM model as the flat lists that ONNX keeps them in.

Two details make the graph agree with LightGBM on every float32 row. A threshold is a double there and a
float32 here: it is rounded down, for then `x <= threshold` is the same for every float32 `x`. And where
LightGBM saw no missing value in training it takes a later one for 0 (`missing_type` None), so NaN goes
where 0 would go. `onnxmltools` does neither (its thresholds are rounded to the nearest float32), which is
why the trees are read here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

LIGHTGBM_INFINITY = 1e300


class UnsupportedSplitError(ValueError):
    """The model has a kind of split that the graph does not have."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a split of kind {kind!r} has no place in the ONNX graph: train with other `trainer.params`")


@dataclass(frozen=True)
class Trees:
    """The attributes of `ai.onnx.ml.TreeEnsembleRegressor`: tree by tree, its nodes in pre-order from id 0."""

    nodes_treeids: list[int] = field(default_factory=list)
    nodes_nodeids: list[int] = field(default_factory=list)
    nodes_featureids: list[int] = field(default_factory=list)
    nodes_modes: list[str] = field(default_factory=list)
    nodes_values: list[float] = field(default_factory=list)
    nodes_truenodeids: list[int] = field(default_factory=list)
    nodes_falsenodeids: list[int] = field(default_factory=list)
    nodes_missing_value_tracks_true: list[int] = field(default_factory=list)
    target_treeids: list[int] = field(default_factory=list)
    target_nodeids: list[int] = field(default_factory=list)
    target_ids: list[int] = field(default_factory=list)
    target_weights: list[float] = field(default_factory=list)


def read(dump: Mapping[str, Any]) -> Trees:
    """Read what `Booster.dump_model` returns.

    Raises:
        UnsupportedSplitError: a split is no `<=` on a number.

    """
    trees = Trees()
    for index, tree in enumerate(dump["tree_info"]):
        _read_tree(trees, index, tree["tree_structure"])
    return trees


def float32_at_most(value: float) -> float:
    """Return the largest float32 that is not above `value`; LightGBM writes infinity as 1e300."""
    if value >= LIGHTGBM_INFINITY:
        return float("inf")
    nearest = np.float32(np.clip(value, np.finfo(np.float32).min, np.finfo(np.float32).max))
    if float(nearest) <= value:
        return float(nearest)
    with np.errstate(over="ignore"):  # below the lowest float32 there is -inf
        return float(np.nextafter(nearest, np.float32(-np.inf)))


def _read_tree(trees: Trees, index: int, root: Mapping[str, Any]) -> None:
    """Walk one tree without recursion: a deep one must not exhaust the stack."""
    start, waiting = len(trees.nodes_nodeids), [(root, trees.nodes_truenodeids, -1)]
    while waiting:
        node, links, parent = waiting.pop()
        position = len(trees.nodes_nodeids)
        if parent >= 0:
            links[parent] = position - start
        trees.nodes_treeids.append(index)
        trees.nodes_nodeids.append(position - start)
        if "leaf_value" in node:
            _add_leaf(trees, node)
        else:
            _add_split(trees, node)
            waiting.append((node["right_child"], trees.nodes_falsenodeids, position))
            waiting.append((node["left_child"], trees.nodes_truenodeids, position))


def _add_leaf(trees: Trees, leaf: Mapping[str, Any]) -> None:
    _add(trees, feature=0, mode="LEAF", value=0.0, missing_goes_left=0)
    trees.target_treeids.append(trees.nodes_treeids[-1])
    trees.target_nodeids.append(trees.nodes_nodeids[-1])
    trees.target_ids.append(0)
    trees.target_weights.append(leaf["leaf_value"])


def _add_split(trees: Trees, split: Mapping[str, Any]) -> None:
    missing = split["missing_type"]
    if split["decision_type"] != "<=" or missing not in ("None", "NaN"):
        raise UnsupportedSplitError(f"{split['decision_type']}, missing as {missing}")
    left = split["default_left"] if missing == "NaN" else split["threshold"] >= 0
    value = float32_at_most(split["threshold"])
    _add(trees, feature=split["split_feature"], mode="BRANCH_LEQ", value=value, missing_goes_left=int(left))


def _add(trees: Trees, *, feature: int, mode: str, value: float, missing_goes_left: int) -> None:
    trees.nodes_featureids.append(feature)
    trees.nodes_modes.append(mode)
    trees.nodes_values.append(value)
    trees.nodes_missing_value_tracks_true.append(missing_goes_left)
    trees.nodes_truenodeids.append(0)
    trees.nodes_falsenodeids.append(0)
