"""The function that Rondo calls (`trainer.function: delay_net.train:train`), and the graph that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from delay_net.network import Network, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from rondo.trainer.functions.context import FunctionContext


def train(
    columns: Mapping[str, NDArray[Any]],  # noqa: ARG001 - the network takes the matrix, which `prepare` makes of them
    labels: NDArray[np.float32],
    context: FunctionContext,
) -> tuple[onnx.ModelProto, Callable[..., NDArray[np.float64]]]:
    """Return a network with one hidden layer as an ONNX graph from the matrix to the probability of label 1.

    The network itself predicts, too, so that Rondo can compare the graph with it.
    """
    if context.target != "probability":
        message = (
            f"this network has two labels, and `task: {context.task}` has a {context.target}: write `task: binary`"
        )
        raise ValueError(message)
    params = {"hidden": 16, "epochs": 10, "rate": 0.003, "decay": 1e-3} | dict(context.params)
    network = fit(context.matrix, labels, np.random.default_rng(context.seed), **params)
    print(f"delay_net: {len(labels):,} rows, log loss {network.loss:.4f}")  # noqa: T201 - it is in the trainer's log
    return graph(network), lambda _columns, matrix: network.predict(matrix)


def graph(network: Network) -> onnx.ModelProto:
    """Return the network as `X` [N, columns] → Gemm → Relu → Gemm → Sigmoid → `probability` [N, 1]."""
    tensors = {
        "weights1": network.weights1, "bias1": network.bias1, "weights2": network.weights2, "bias2": network.bias2,
    }  # fmt: skip
    nodes = [
        helper.make_node("Gemm", ["X", "weights1", "bias1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "weights2", "bias2"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    made = helper.make_graph(
        nodes,
        "delay_net",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, len(network.weights1)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)])
