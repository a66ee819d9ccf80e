"""A sum of decision trees as ONNX nodes: `ai.onnx.ml.TreeEnsembleRegressor` and a sigmoid.

The graph is a regression of the margin and a sigmoid: a classifier would return a label, too, whose declared shape
makes onnxruntime log a warning at every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onnx import AttributeProto, helper

if TYPE_CHECKING:
    import onnx

_MARGIN = "trees.margin"
# Explicit, for onnx infers INTS from floats that are whole, and no type at all from an empty list.
_TYPES = {int: AttributeProto.INTS, float: AttributeProto.FLOATS, str: AttributeProto.STRINGS}


@dataclass(frozen=True)
class TreeEnsemble:
    """The attributes of `TreeEnsembleRegressor`: tree by tree, its nodes in pre-order from id 0."""

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

    def onnx_nodes(self, matrix: str, score: str) -> tuple[onnx.NodeProto, ...]:
        """Return the nodes from `matrix`, float32 `[N, features]`, to the probability `score`, float32 `[N, 1]`."""
        trees = helper.make_node(
            "TreeEnsembleRegressor",
            [matrix],
            [_MARGIN],
            name="trees",
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function="SUM",
            post_transform="NONE",
        )
        trees.attribute.extend(
            helper.make_attribute(name, values, attr_type=_TYPES[_element_type(name)])
            for name, values in vars(self).items()
        )
        return trees, helper.make_node("Sigmoid", [_MARGIN], [score], name="score")


def _element_type(name: str) -> type[int | float | str]:
    if name == "nodes_modes":
        return str
    return float if name in ("nodes_values", "target_weights") else int
