"""Reads the trees of an XGBoost model into the flat lists of an ONNX tree ensemble.

XGBoost compares float32 with float32, `x < threshold`, so the graph does exactly the same. The margins start at
`base_score`, which the model has as a probability for binary labels.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.estimators.tree_ensemble import Tree, TreeEnsemble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.trainer.estimators.base import Target


def read(model: bytes, target: Target) -> TreeEnsemble:
    """Read the result of `Booster.save_raw("json")`.

    Raises:
        TooManyNodesError: the ensemble is larger than a model may be.

    """
    learner = json.loads(model)["learner"]
    ensemble = learner["gradient_booster"]["model"]
    trees = TreeEnsemble(target.width, base_values=_base(learner["learner_model_param"]["base_score"], target))
    for tree, of_class in zip(ensemble["trees"], ensemble["tree_info"], strict=True):
        trees.add(_tree(tree, of_class), "BRANCH_LT")
    return trees


def _base(written: str, target: Target) -> list[float]:
    """Return the margin that the trees of each target are added to."""
    base = np.atleast_1d(np.array(json.loads(written), dtype=np.float32))
    if target.kind == "probability":
        base = -np.log(1 / base - 1)
    return [float(value) for value in np.broadcast_to(base, target.width)]


def _tree(tree: Mapping[str, Any], of_class: int) -> Tree:
    """Read the nodes that are reachable from the root: pruning leaves unreachable nodes."""
    left, right = (np.array(tree[side], dtype=np.int64) for side in ("left_children", "right_children"))
    kept = _reached(left, right)
    position = np.full(len(left), -1)
    position[kept] = np.arange(len(kept))
    # The last position is for -1, the child of a leaf.
    position = np.append(position, -1)
    values = np.array(tree["split_conditions"], dtype=np.float32)[kept]
    return Tree(
        features=np.array(tree["split_indices"], dtype=np.int64)[kept],
        thresholds=values,
        left=position[left[kept]],
        right=position[right[kept]],
        missing_goes_left=np.array(tree["default_left"], dtype=bool)[kept],
        leaves=values[:, None],
        target=of_class,
    )


def _reached(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the reachable nodes level by level, from the root."""
    level, levels = np.zeros(1, dtype=np.int64), []
    while len(level):
        levels.append(level)
        inner = level[left[level] >= 0]
        level = np.stack([left[inner], right[inner]], axis=1).reshape(-1)
    return np.concatenate(levels)
