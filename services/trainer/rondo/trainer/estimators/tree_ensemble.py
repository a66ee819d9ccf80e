"""A sum of decision trees as ONNX nodes: `ai.onnx.ml.TreeEnsembleRegressor` and a link function.

The graph is a regression of the margins and a link: a classifier would return a label, too, whose declared shape
makes onnxruntime log a warning at every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onnx import AttributeProto, helper

if TYPE_CHECKING:
    import onnx

_MARGIN = "trees.margin"
# From the sums of the leaves to the raw predictions, by task.
LINKS = {"binary": "Sigmoid", "multiclass": "Softmax", "regression": "Identity"}
# Explicit, for onnx infers INTS from floats that are whole, and no type at all from an empty list.
_TYPES = {int: AttributeProto.INTS, float: AttributeProto.FLOATS, str: AttributeProto.STRINGS}


@dataclass(frozen=True)
class TreeEnsemble:
    """The attributes of `TreeEnsembleRegressor`: tree by tree, its nodes in pre-order from id 0.

    A leaf adds its weight to one of `width` targets.
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
            if name != "width"
        )
        return trees, helper.make_node(link, [_MARGIN], [raw], name="link")


def _element_type(name: str) -> type[int | float | str]:
    if name == "nodes_modes":
        return str
    return float if name in ("nodes_values", "target_weights") else int
