"""The feed-forward network of Crayfish (Horchidan and others, EDBT 2024): 28 x 28 inputs, 10 classes, 28 K parameters.

Three hidden layers of 32 have ReLU. The weights are random, because the cost of an inference does not depend on them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.multiclass import MULTICLASS

FEATURES = [f"p{number}" for number in range(28 * 28)]
SIZES = (len(FEATURES), 32, 32, 32, 10)
FITTED = FittedTask(task="multiclass", labels=tuple(map(str, range(SIZES[-1]))), numbers=True)


def plain() -> bytes:
    """Return the network with one input `x` of shape [N, 784] and one output `probabilities` of shape [N, 10]."""
    nodes, weights = _layers("x", "probabilities")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, SIZES[0]])
    return _saved(nodes, weights, [x], {"probabilities": (TensorProto.FLOAT, SIZES[-1])})


def per_feature() -> bytes:
    """Return the network with an input [N, 1] per feature and the outputs of its task, in the form of the trainer."""
    nodes, weights = _layers("x", "raw.probabilities")
    nodes = [helper.make_node("Concat", FEATURES, ["x"], axis=1), *nodes]
    nodes += MULTICLASS.head(FITTED, "raw.probabilities", helper.make_node)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in FEATURES]
    outputs = {
        "output.label": (TensorProto.INT64, 1), "output.score": (TensorProto.FLOAT, 1),
        "output.probabilities": (TensorProto.FLOAT, SIZES[-1]),
    }  # fmt: skip
    return _saved(nodes, weights, inputs, outputs)


def _layers(source: str, output: str) -> tuple[list[Any], list[Any]]:
    rng, nodes, weights = np.random.default_rng(0), list[Any](), list[Any]()
    for number, (inputs, outputs) in enumerate(pairwise(SIZES)):
        matrix = rng.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
        parts = {f"weights{number}": matrix, f"bias{number}": np.zeros(outputs, np.float32)}
        weights += [numpy_helper.from_array(values, name) for name, values in parts.items()]
        nodes.append(helper.make_node("Gemm", [source, *parts], [f"layer{number}"]))
        last = number == len(SIZES) - 2
        source = output if last else f"active{number}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"layer{number}"], [source]))
    return nodes, weights


def _saved(nodes: list[Any], weights: list[Any], inputs: list[Any], outputs: dict[str, tuple[int, int]]) -> bytes:
    described = [helper.make_tensor_value_info(name, kind, [None, size]) for name, (kind, size) in outputs.items()]
    graph = helper.make_graph(nodes, "crayfish", inputs, described, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {FITTED.METADATA: FITTED.model_dump_json()})
    content: bytes = model.SerializeToString()
    return content
