"""Runs the nodes of a fitted model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper
from rondo.trainer.estimators.base import ML_OPSET, OPSET

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rondo.trainer.estimators.base import FittedModel, Target


def graph(model: FittedModel, target: Target, columns: int, opset: int = OPSET) -> bytes:
    """Return the graph of the nodes from a matrix to the raw prediction."""
    ends = (("features.matrix", columns), ("features.raw", target.width))
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])] for name, width in ends)
    nodes = model.onnx_nodes("features.matrix", "features.raw")
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    made = helper.make_model(helper.make_graph(nodes, "model", inputs, outputs), opset_imports=opsets, ir_version=8)
    checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def predict(content: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"features.matrix": matrix})[0])


def difference(model: FittedModel, target: Target, matrix: NDArray[np.float32], opset: int = OPSET) -> float:
    """Return the largest difference between graph and model, relative to predictions above 1.

    It is infinite if only one of them is NaN or infinite.
    """
    found = predict(graph(model, target, matrix.shape[1], opset), matrix).astype(np.float64)
    expected = model.predict(matrix).astype(np.float32).astype(np.float64)
    assert found.shape == expected.shape == (len(matrix), target.width)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    return float(np.where(same, 0, np.where(np.isfinite(apart), apart, np.inf)).max())
