"""A model that takes a given time for each row."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rondo.serving.models.onnx_runtime import OnnxModel

from tests.serving.builders import FEATURES, build_model

_SIZE = 512
_TRIAL = 2_000


def slow_model(seconds: float) -> bytes:
    """Return a model with the answers of `build_model` that works for `seconds` at least on each row."""
    return _model(max(int(seconds / _seconds_per_turn()), 1))


@cache
def _seconds_per_turn() -> float:
    model = OnnxModel(_model(_TRIAL), FEATURES)
    columns = {
        name: np.array([""] if feature.type == "category" else [1.0], object if feature.type == "category" else "f4")
        for name, feature in FEATURES.items()
    }
    took = []
    for _ in range(10):
        began = time.perf_counter()
        model.score(columns)
        took.append(time.perf_counter() - began)
    return min(took) / _TRIAL


def _model(turns: int) -> bytes:
    """Return a model that multiplies a vector and a matrix `turns` times for each row."""
    model = onnx.load_from_string(build_model())
    graph = model.graph
    first = graph.input[0].name
    final = next(node for node in graph.node if "raw.prediction" in node.output)
    final.output[0] = "raw.quick"
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, _SIZE])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["vector", "slow.matrix"], ["vector.next"]),
            helper.make_node("Identity", ["condition"], ["condition.next"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            vector,
        ],
        [
            helper.make_tensor_value_info("condition.next", TensorProto.BOOL, []),
            helper.make_tensor_value_info("vector.next", TensorProto.FLOAT, [1, _SIZE]),
        ],
    )
    nodes = [
        helper.make_node("Size", [first], ["slow.rows"]),
        helper.make_node("Mul", ["slow.rows", "slow.turns"], ["slow.all"]),
        helper.make_node("Loop", ["slow.all", "", "slow.start"], ["slow.end"], body=body),
        helper.make_node("ReduceSum", ["slow.end"], ["slow.zero"], keepdims=0),
        helper.make_node("Add", ["raw.quick", "slow.zero"], ["raw.prediction"]),
    ]
    place = list(graph.node).index(final) + 1
    rest = list(graph.node)[place:]
    del graph.node[place:]
    graph.node.extend([*nodes, *rest])
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.zeros((_SIZE, _SIZE), np.float32), "slow.matrix"),
            numpy_helper.from_array(np.zeros((1, _SIZE), np.float32), "slow.start"),
            numpy_helper.from_array(np.array(turns, np.int64), "slow.turns"),
        ]
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
