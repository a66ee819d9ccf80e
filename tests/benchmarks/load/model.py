"""The benchmark's model: LightGBM, 100 trees on 20 floats, as one graph with one input and as Rondo's."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import BINARY

FITTED = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
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
    """Return the same trees with an input [N, 1] per feature and the outputs of a binary task, as the trainer does."""
    model = onnx.load_from_string(content)
    graph = model.graph
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in FEATURES]
    probabilities = graph.output[1].name
    graph.node.insert(0, helper.make_node("Concat", FEATURES, ["x"], axis=1))
    graph.initializer.append(helper.make_tensor("second", TensorProto.INT64, [1], [1]))
    graph.node.append(helper.make_node("Gather", [probabilities, "second"], ["raw.score"], axis=1))
    graph.node.extend(BINARY.head(FITTED, "raw.score", helper.make_node))
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    kinds = {"output.score": TensorProto.FLOAT, "output.label": TensorProto.INT64}
    graph.output.extend(helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items())
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)])
    helper.set_model_props(model, {FITTED.METADATA: FITTED.model_dump_json()})
    wrapped: Any = model.SerializeToString()
    return bytes(wrapped)
