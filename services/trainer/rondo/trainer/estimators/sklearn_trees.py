"""Reads the trees of scikit-learn into an ONNX tree ensemble.

scikit-learn compares float32 with a double threshold, and ONNX with a float32: the threshold is rounded down, so that
`x <= threshold` is the same for every float32 `x`. skl2onnx takes minutes for a forest of a million nodes, and its
classifiers log a warning at every call (see `tree_ensemble`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from rondo.trainer.estimators.tree_ensemble import LINKS, Tree, TreeEnsemble, float32_at_most

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from rondo.trainer.estimators.base import Target

_MODULES = ("sklearn.tree.", "sklearn.ensemble.")


def is_made_of_trees(estimator: Any) -> bool:
    return type(estimator).__module__.startswith(_MODULES)


def onnx_nodes(estimator: Any, target: Target, rows: str, raw: str) -> list[onnx.NodeProto]:
    """Return the nodes from `rows`, float32 or float64, to the raw prediction, float32 `[N, width]`.

    Raises:
        TooManyNodesError: the ensemble is larger than a model may be.

    """
    single, mean = "trees.features", "trees.mean"
    # scikit-learn also converts to float32 before it compares.
    cast = helper.make_node("Cast", [rows], [single], name=single, to=TensorProto.FLOAT)
    if hasattr(estimator, "learning_rate"):
        return [cast, *_boosted(estimator, target).onnx_nodes(single, raw, LINKS[target.kind])]
    trees = _averaged(estimator, target)
    if target.kind == "number":
        return [cast, *trees.onnx_nodes(single, raw, "Identity")]
    # Rounding may make the sum of a hundred shares larger than 1.
    limits = {"trees.low": np.array(0, np.float32), "trees.high": np.array(1, np.float32)}
    return [
        cast,
        *trees.onnx_nodes(single, mean, "Identity"),
        *(
            helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(value))
            for name, value in limits.items()
        ),
        helper.make_node("Clip", [mean, *limits], [raw], name="trees.clip"),
    ]


def _averaged(estimator: Any, target: Target) -> TreeEnsemble:
    """Read a tree, or a forest, whose prediction is the mean over its trees."""
    members = [each.tree_ for each in getattr(estimator, "estimators_", [estimator])]
    trees = TreeEnsemble(target.width)
    for tree in members:
        # `value` has the shape [nodes, outputs, classes], with one output, and with one class for numbers.
        trees.add(_tree(tree, tree.value[:, 0, -target.width :] / len(members)), "BRANCH_LEQ")
    return trees


def _boosted(estimator: Any, target: Target) -> TreeEnsemble:
    """Read a boosted model: a constant plus the trees, one tree per class in each iteration.

    For two classes there is one tree, of the second class. The first then has the margin 0, because the softmax of
    `[0, x]` is the sigmoid of `x` for the second class, and the rest for the first.
    """
    first = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))[0]  # noqa: SLF001 - nothing public has it
    without = target.width - len(first)
    trees = TreeEnsemble(target.width, base_values=[0.0] * without + [float(value) for value in first])
    for turn in estimator.estimators_:
        for of_class, member in enumerate(turn, without):
            leaves = member.tree_.value[:, 0, :] * estimator.learning_rate
            trees.add(_tree(member.tree_, leaves)._replace(target=of_class), "BRANCH_LEQ")
    return trees


def _tree(tree: Any, leaves: NDArray[np.float64]) -> Tree:
    return Tree(
        features=tree.feature,
        thresholds=float32_at_most(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        missing_goes_left=tree.missing_go_to_left.astype(bool),
        leaves=leaves.astype(np.float32),
    )
