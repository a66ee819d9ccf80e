"""A sum of decision trees as ONNX nodes: `ai.onnx.ml.TreeEnsembleRegressor` and a link function.

The graph is a regression of the margins and a link function. A classifier would also return a label, whose declared
shape makes onnxruntime log a warning at every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from onnx import AttributeProto, helper

from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind

_MARGIN = "trees.margin"
# From the sums of the leaves to the raw predictions.
LINKS: dict[TargetKind, str] = {"probability": "Sigmoid", "probabilities": "Softmax", "number": "Identity"}
# The types are explicit, because onnx infers INTS from Python integers, such as the leaf 0 of a tree without a split.
_TYPES = {int: AttributeProto.INTS, float: AttributeProto.FLOATS, str: AttributeProto.STRINGS}


# The graph of an ensemble of this size has about 200 MB, and takes several times that in a replica of serving.
MAX_NODES = 5_000_000


class TooManyNodesError(TrainingImpossibleError):
    """The trees have more nodes than a model may have."""

    code = "too_many_nodes"

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        super().__init__(
            f"the trees of the model have {nodes:,} nodes, and at most {MAX_NODES:,} can be served: limit them in the"
            " parameters of the trainer (`max_depth`, `max_leaf_nodes`, `min_samples_leaf` or a smaller"
            " `n_estimators`)"
        )


class Tree(NamedTuple):
    """A tree as arrays of its nodes, shape `[nodes]`. Node 0 is the root. `left` is -1 at a leaf.

    `leaves` has the value that each node adds if it is a leaf, shape `[nodes, targets]`. A single column is added to
    the target `target`. Several columns are added to all targets.
    """

    features: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_goes_left: NDArray[np.bool_]
    leaves: NDArray[np.float32]
    target: int = 0


@dataclass(frozen=True)
class TreeEnsemble:
    """The attributes of `TreeEnsembleRegressor`: the nodes of each tree, from the root, which has id 0.

    A leaf adds its weight to one of `width` targets. `base_values` are added as well: one per target, or none.
    """

    width: int = 1
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
    base_values: list[float] = field(default_factory=list)

    def add(self, tree: Tree, branch: Literal["BRANCH_LEQ", "BRANCH_LT"]) -> None:
        """Add a tree. A row goes left where its value is `<=` or `<` the threshold.

        Raises:
            TooManyNodesError: the ensemble becomes larger than a model may be.

        """
        index, nodes, leaf = self.nodes_treeids[-1] + 1 if self.nodes_treeids else 0, len(tree.left), tree.left < 0
        if (total := len(self.nodes_nodeids) + nodes) > MAX_NODES:
            raise TooManyNodesError(total)
        self.nodes_treeids.extend([index] * nodes)
        self.nodes_nodeids.extend(range(nodes))
        self.nodes_featureids.extend(np.where(leaf, 0, tree.features).tolist())
        self.nodes_modes.extend(np.where(leaf, "LEAF", branch).tolist())
        self.nodes_values.extend(np.where(leaf, 0, tree.thresholds).tolist())
        self.nodes_truenodeids.extend(np.where(leaf, 0, tree.left).tolist())
        self.nodes_falsenodeids.extend(np.where(leaf, 0, tree.right).tolist())
        self.nodes_missing_value_tracks_true.extend(np.where(leaf, 0, tree.missing_goes_left).tolist())
        ids, width = np.flatnonzero(leaf), tree.leaves.shape[1]
        self.target_treeids.extend([index] * (len(ids) * width))
        self.target_nodeids.extend(np.repeat(ids, width).tolist())
        self.target_ids.extend([tree.target] * len(ids) if width == 1 else list(range(width)) * len(ids))
        self.target_weights.extend(tree.leaves[ids].reshape(-1).tolist())

    def onnx_nodes(self, matrix: str, raw: str, link: str) -> tuple[onnx.NodeProto, ...]:
        """Return the nodes from `matrix`, float32 `[N, features]`, to `raw`, float32 `[N, width]`.

        `link` is the operator from the sums to the raw predictions, one of `LINKS`.
        """
        trees = helper.make_node(
            "TreeEnsembleRegressor",
            [matrix],
            [_MARGIN],
            name="trees",
            domain="ai.onnx.ml",
            n_targets=self.width,
            aggregate_function="SUM",
            post_transform="NONE",
        )
        trees.attribute.extend(
            helper.make_attribute(name, values, attr_type=_TYPES[_element_type(name)])
            for name, values in vars(self).items()
            if name != "width" and (values or name != "base_values")
        )
        return trees, helper.make_node(link, [_MARGIN], [raw], name="link")


def float32_at_most(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above each value, so that `x <= value` is the same for every float32."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
        rounded: NDArray[np.float32] = np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return rounded


def _element_type(name: str) -> type[int | float | str]:
    if name == "nodes_modes":
        return str
    return float if name in ("nodes_values", "target_weights", "base_values") else int
