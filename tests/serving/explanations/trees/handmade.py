"""Graphs of handmade trees, and strategies for random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

# A column of the matrix after the other: two numbers, a text as two indicators, and a number as it is and squared.
FEATURES = {
    name: Feature(type="category" if name == "text" else "float", optional=True) for name in ("a", "b", "text", "c")
}
COLUMNS = 6
TEXTS = ("", "red", "blue")
# Values are often equal to thresholds, where the modes differ.
NUMBERS = st.sampled_from([-1.0, 0.0, 0.1, 0.5, 1.0, 1.5, float("nan")])
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(TEXTS), NUMBERS), min_size=1, max_size=6)
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


@dataclass(frozen=True)
class Split:
    """A node with a condition. Its children are other nodes, or the values of leaves."""

    column: int
    threshold: float
    mode: str
    missing: bool
    true: Split | float
    false: Split | float


SPLITS = st.deferred(
    lambda: st.builds(
        Split, st.integers(0, COLUMNS - 1), st.sampled_from([-1.0, 0.0, 0.1, 0.25, 1.0]), st.sampled_from(MODES),
        st.booleans(), NODES, NODES,
    )
)  # fmt: skip
NODES = st.one_of(st.floats(-2, 2, width=32), SPLITS)


def attributes(trees: Sequence[Split | float]) -> dict[str, list[Any]]:
    """Return the attributes of a `TreeEnsembleRegressor`."""
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    found: dict[str, list[Any]] = {f"nodes_{name}": [] for name in (*names, "missing_value_tracks_true")}
    found |= {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}

    def add(tree: int, node: Split | float, ids: list[int]) -> int:
        number = len(ids)
        ids.append(number)
        at = len(found["nodes_treeids"])
        for values in list(found.values())[:8]:
            values.append(0)
        found["nodes_treeids"][at], found["nodes_nodeids"][at] = tree, number
        if isinstance(node, Split):
            found["nodes_featureids"][at], found["nodes_values"][at] = node.column, node.threshold
            found["nodes_modes"][at], found["nodes_missing_value_tracks_true"][at] = node.mode, int(node.missing)
            found["nodes_truenodeids"][at] = add(tree, node.true, ids)
            found["nodes_falsenodeids"][at] = add(tree, node.false, ids)
        else:
            found["nodes_modes"][at] = "LEAF"
            for values, value in zip(list(found.values())[8:], (tree, number, 0, node), strict=True):
                values.append(value)
        return number

    for tree, root in enumerate(trees):
        add(tree, root, [])
    return found


def built(trees: Sequence[Split | float], after: Sequence[onnx.NodeProto] = (), **more: Any) -> bytes:
    """Return a model whose answer is the sum of trees, or the tensor `raw` that the nodes `after` make of `sum`."""
    types = {"nodes_values": 6, "target_weights": 6, "nodes_modes": 8}
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["matrix"], ["sum"], domain="ai.onnx.ml", n_targets=1,
        **({"base_values": [0.5]} | more),
    )  # fmt: skip
    ensemble.attribute.extend(
        helper.make_attribute(name, values, attr_type=types.get(name, 7)) for name, values in attributes(trees).items()
    )
    nodes = [
        helper.make_node(
            "LabelEncoder", ["text"], ["place"], domain="ai.onnx.ml", keys_strings=list(TEXTS), values_int64s=[2, 0, 1],
            default_int64=2,
        ),
        helper.make_node("Constant", [], ["depth"], value_int=2),
        helper.make_node("Constant", [], ["off_on"], value_floats=[0.0, 1.0]),
        helper.make_node("OneHot", ["place", "depth", "off_on"], ["hot"]),
        helper.make_node("Flatten", ["hot"], ["indicators"]),
        helper.make_node("Mul", ["c", "c"], ["squared"]),
        helper.make_node("Concat", ["a", "b", "indicators", "c", "squared"], ["matrix"], axis=1),
        ensemble,
        *(after or [helper.make_node("Identity", ["sum"], ["raw"])]),
        helper.make_node("Identity", ["raw"], ["output.value"]),
    ]  # fmt: skip
    kinds = {name: TensorProto.STRING if name == "text" else TensorProto.FLOAT for name in FEATURES}
    graph = helper.make_graph(
        nodes, "random", [helper.make_tensor_value_info(name, kind, ["N", 1]) for name, kind in kinds.items()],
        [helper.make_tensor_value_info("output.value", TensorProto.FLOAT, ["N", 1])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {FittedTask.METADATA: FittedTask(task="regression").model_dump_json()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def columns_of(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        name: np.array(values, np.object_ if name == "text" else np.float32)
        for name, values in zip(FEATURES, zip(*rows, strict=True), strict=True)
    }
