"""Runs the ONNX nodes of a step by themselves, as a model that the registry would accept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from rondo.registry.registration.onnx_check import check_onnx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32] | NDArray[np.object_]]


def run_on_text(nodes: Callable[[str, str], Sequence[onnx.NodeProto]], text: pl.Series) -> NDArray[np.float32]:
    return run(nodes("text", "output"), {"text": text.to_numpy().astype(object).reshape(-1, 1)})


def run(nodes: Sequence[onnx.NodeProto], tensors: Tensors, opset: int = 15) -> NDArray[np.float32]:
    """Return the tensor `output` of the nodes."""
    kinds = {True: TensorProto.STRING, False: TensorProto.FLOAT}
    inputs = [
        helper.make_tensor_value_info(name, kinds[tensor.dtype == object], ["N", *tensor.shape[1:]])
        for name, tensor in tensors.items()
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", "columns"])
    graph = helper.make_graph(nodes, "step", inputs, [output])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return np.asarray(_session(model).run(["output"], dict(tensors))[0])


@lru_cache(maxsize=4)
def _session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a session of a model. A test runs the same model on several rows."""
    check_onnx(model, len(model))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
