"""The benchmark's model: LightGBM, 100 trees on 20 floats, as one graph with one input and as Rondo's."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

FEATURES = [f"f{number}" for number in range(20)]


def plain() -> bytes:
    """Train the trees, and return them with one input `x` of shape [N, 20] and outputs label and probabilities."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, len(FEATURES))).astype("f4")
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
    model = lightgbm.LGBMClassifier(n_estimators=100, verbose=-1).fit(x, y)
    inputs = [("x", FloatTensorType([None, len(FEATURES)]))]
    graph = convert_lightgbm(model, initial_types=inputs, zipmap=False, target_opset=15)
    content: bytes = graph.SerializeToString()
    return content


def per_feature(content: bytes) -> bytes:
    """Return the same trees with an input [N, 1] per feature and the output `score` [N, 1], as the trainer does."""
    model = onnx.load_from_string(content)
    graph = model.graph
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in FEATURES]
    probabilities = graph.output[1].name
    graph.node.insert(0, helper.make_node("Concat", FEATURES, ["x"], axis=1))
    graph.initializer.append(helper.make_tensor("second", TensorProto.INT64, [1], [1]))
    graph.node.append(helper.make_node("Gather", [probabilities, "second"], ["score"], axis=1))
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1]))
    wrapped: Any = model.SerializeToString()
    return bytes(wrapped)
