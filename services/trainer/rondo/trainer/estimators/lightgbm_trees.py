"""Reads the trees of a LightGBM model into the flat lists of an ONNX tree ensemble.

Two details make the graph agree with LightGBM on every float32 row. A threshold is a double in LightGBM and a float32
in ONNX: it is rounded down, so that `x <= threshold` is the same for every float32 `x`. And where a feature had no
missing value in training, LightGBM treats a later one as 0 (`missing_type` None), so NaN takes the branch of 0.
`onnxmltools` does neither (it rounds thresholds to the nearest float32), so the trees are read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.estimators.tree_ensemble import TreeEnsemble, float32_at_most

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LIGHTGBM_INFINITY = 1e300


class UnsupportedSplitError(TrainingImpossibleError):
    """The model has a kind of split that the ONNX graph can't express."""

    code = "unsupported_split"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"the ONNX graph can't express a split of kind {kind!r}: train with other `trainer.params`")


def read(dump: Mapping[str, Any], width: int) -> TreeEnsemble:
    """Read what `Booster.dump_model` returns. Of several classes, tree i adds to the margin of class `i % width`.

    Raises:
        UnsupportedSplitError: a split is no `<=` on a number.

    """
    trees = TreeEnsemble(width)
    for index, tree in enumerate(dump["tree_info"]):
        _read_tree(trees, index, tree["tree_structure"], index % width)
    # All at once: NumPy takes a hundred times as long for each alone.
    trees.nodes_values[:] = float32_thresholds(np.array(trees.nodes_values, np.float64)).tolist()
    return trees


def float32_thresholds(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the thresholds of a graph. LightGBM writes infinity as 1e300."""
    return np.where(values >= LIGHTGBM_INFINITY, np.float32(np.inf), float32_at_most(values))


def _read_tree(trees: TreeEnsemble, index: int, root: Mapping[str, Any], target: int) -> None:
    """Walk one tree without recursion: a deep tree must not exhaust the stack."""
    start, waiting = len(trees.nodes_nodeids), [(root, trees.nodes_truenodeids, -1)]
    while waiting:
        node, links, parent = waiting.pop()
        position = len(trees.nodes_nodeids)
        if parent >= 0:
            links[parent] = position - start
        trees.nodes_treeids.append(index)
        trees.nodes_nodeids.append(position - start)
        if "leaf_value" in node:
            _add_leaf(trees, node, target)
        else:
            _add_split(trees, node)
            waiting.append((node["right_child"], trees.nodes_falsenodeids, position))
            waiting.append((node["left_child"], trees.nodes_truenodeids, position))


def _add_leaf(trees: TreeEnsemble, leaf: Mapping[str, Any], target: int) -> None:
    _add(trees, feature=0, mode="LEAF", value=0.0, missing_goes_left=0)
    trees.target_treeids.append(trees.nodes_treeids[-1])
    trees.target_nodeids.append(trees.nodes_nodeids[-1])
    trees.target_ids.append(target)
    trees.target_weights.append(float(leaf["leaf_value"]))


def _add_split(trees: TreeEnsemble, split: Mapping[str, Any]) -> None:
    missing = split["missing_type"]
    if split["decision_type"] != "<=" or missing not in ("None", "NaN"):
        raise UnsupportedSplitError(f"{split['decision_type']}, missing as {missing}")
    left = split["default_left"] if missing == "NaN" else split["threshold"] >= 0
    value, feature = float(split["threshold"]), split["split_feature"]
    _add(trees, feature=feature, mode="BRANCH_LEQ", value=value, missing_goes_left=int(left))


def _add(trees: TreeEnsemble, *, feature: int, mode: str, value: float, missing_goes_left: int) -> None:
    trees.nodes_featureids.append(feature)
    trees.nodes_modes.append(mode)
    trees.nodes_values.append(value)
    trees.nodes_missing_value_tracks_true.append(missing_goes_left)
    trees.nodes_truenodeids.append(0)
    trees.nodes_falsenodeids.append(0)
