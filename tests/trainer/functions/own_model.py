"""Functions like those of a user. The tests copy this file into a package, and do not import it."""

# ruff: noqa: T201

import os
import time
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def linear(columns: Any, labels: Any, context: Any) -> Any:
    """Fit a linear model to the matrix, with one output of float32 `[N, width]`."""
    print("trained by", context.params)
    matrix = np.nan_to_num(context.matrix).astype(np.float64)
    matrix = np.column_stack([matrix, np.ones(len(matrix))])
    wanted = np.eye(len(context.classes))[labels.astype(int)] if context.task == "multiclass" else labels[:, None]
    solved = np.linalg.solve(matrix.T @ matrix + 1e-3 * np.eye(matrix.shape[1]), matrix.T @ wanted).astype(np.float32)
    assert columns.keys()
    assert context.threads >= 1
    if context.task == "binary":
        solved = solved * 4
        solved[-1] -= 2
    link = {"binary": "Sigmoid", "multiclass": "Softmax", "regression": "Identity"}[context.task]
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "X"], ["filled"]),
        helper.make_node("Gemm", ["filled", "weights", "bias"], ["margin"]),
        helper.make_node(link, ["margin"], ["prediction"]),
    ]
    tensors = {"zero": np.float32(0), "weights": solved[:-1], "bias": solved[-1]}
    return graph(nodes, tensors, {"X": (TensorProto.FLOAT, matrix.shape[1] - 1)}, solved.shape[1])


def with_predict(columns: Any, labels: Any, context: Any) -> Any:
    """Return the linear model and its predictions, which it computes with doubles from the weights."""
    made = linear(columns, labels, context)
    weights, bias = (numpy_helper.to_array(made.graph.initializer[at]).astype(np.float64) for at in (1, 2))

    def predict(columns: Any, matrix: Any) -> Any:
        assert len(columns["carrier"]) == len(matrix)
        margin = np.nan_to_num(matrix).astype(np.float64) @ weights + bias
        if context.task == "regression":
            return margin
        if context.task == "binary":
            return 1 / (1 + np.exp(-margin))
        shares = np.exp(margin - margin.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    return made, predict


def unfaithful(columns: Any, labels: Any, context: Any) -> Any:
    """Return a graph whose predictions are other ones for a single carrier."""
    made, predict = with_predict(columns, labels, context)
    last = max(columns["carrier"])

    def other(columns: Any, matrix: Any) -> Any:
        found = predict(columns, matrix)
        return np.where((columns["carrier"] == last)[:, None], np.abs(found - 0.25), found)

    return made, other


def by_name_with_predict(columns: Any, labels: Any, context: Any) -> Any:
    shares = {text: labels[columns["carrier"] == text].mean() for text in set(columns["carrier"])}
    made = by_name(columns, labels, context)
    return made.SerializeToString(), lambda columns, _: [shares.get(text, 0.5) for text in columns["carrier"]]


def both_with_predict(columns: Any, labels: Any, context: Any) -> Any:
    """Return a graph with the probabilities of both labels."""
    made, predict = with_predict(columns, labels, context)
    made.graph.node[-1].output[0] = "share"
    made.graph.node.extend(
        [
            helper.make_node("Constant", [], ["one"], value_floats=[1.0]),
            helper.make_node("Sub", ["one", "share"], ["other"]),
            helper.make_node("Concat", ["other", "share"], ["prediction"], axis=1),
        ]
    )
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    return made, lambda *given: np.column_stack([1 - predict(*given), predict(*given)])


def predicts_few(*given: Any) -> Any:
    return linear(*given), lambda *_: [0.5, 0.5, 0.5]


def predicts_texts(*given: Any) -> Any:
    return linear(*given), lambda columns, _: list(columns["carrier"])


class Tensor:
    """A value that refuses to become an array, as a tensor that needs a gradient does."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError


def predicts_tensors(*given: Any) -> Any:
    return linear(*given), lambda *_: Tensor()


def predicts_wide(*given: Any) -> Any:
    return linear(*given), lambda _, matrix: np.zeros((len(matrix), 3))


def predicts_very_wide(*given: Any) -> Any:
    return linear(*given), lambda _, matrix: np.zeros((len(matrix), 20_000), np.float32)


def predicts_by_text(*given: Any) -> Any:
    return linear(*given), "predict"


def predict_fails(*given: Any) -> Any:
    return linear(*given), lambda columns, _: columns["weight"]


def by_name(columns: Any, labels: Any, context: Any) -> Any:
    """Return a model that takes features as they are: the share of positives of each carrier, from its text."""
    texts = sorted(set(columns["carrier"]))
    shares = [float(labels[columns["carrier"] == text].mean()) for text in texts]
    assert columns["carrier"].dtype == object
    assert columns["temp"].dtype == np.float32
    node = helper.make_node(
        "LabelEncoder", ["carrier"], ["share"], domain="ai.onnx.ml",
        keys_strings=texts, values_floats=shares, default_float=0.5,
    )  # fmt: skip
    nodes = [node, helper.make_node("Identity", ["share"], ["prediction"])]
    return graph(nodes, {}, {"carrier": (TensorProto.STRING, 1)}, 1)


def graph(nodes: Any, tensors: Any, inputs: Any, width: int) -> Any:
    made = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info(name, kind, [None, size]) for name, (kind, size) in inputs.items()],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, width])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def as_bytes(columns: Any, labels: Any, context: Any) -> Any:
    return linear(columns, labels, context).SerializeToString()


def too_wide(_columns: Any, _labels: Any, context: Any) -> Any:
    return graph(
        [helper.make_node("Concat", ["X", "X", "X"], ["prediction"], axis=1)],
        {},
        {"X": (TensorProto.FLOAT, context.matrix.shape[1])},
        3 * context.matrix.shape[1],
    )


def whole_numbers(_columns: Any, _labels: Any, context: Any) -> Any:
    made = graph(
        [helper.make_node("Cast", ["X"], ["prediction"], to=TensorProto.INT64)],
        {},
        {"X": (TensorProto.FLOAT, context.matrix.shape[1])},
        1,
    )
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return made


def unknown_input(_columns: Any, _labels: Any, _context: Any) -> Any:
    return graph(
        [helper.make_node("Add", ["a", "b"], ["prediction"])],
        {},
        {"a": (TensorProto.FLOAT, 1), "b": (TensorProto.FLOAT, 1)},
        1,
    )


def fails(columns: Any, _labels: Any, _context: Any) -> Any:
    return columns["weight"]


def returns_nothing(_columns: Any, _labels: Any, _context: Any) -> Any:
    print("no model")


def returns_text(_columns: Any, _labels: Any, _context: Any) -> Any:
    return b"a text and no model"


def exits(_columns: Any, _labels: Any, _context: Any) -> Any:
    raise SystemExit(0)


def crashes(_columns: Any, _labels: Any, _context: Any) -> Any:
    os.abort()


def never_returns(_columns: Any, _labels: Any, _context: Any) -> Any:
    time.sleep(600)


def leaves_a_process(columns: Any, labels: Any, context: Any) -> Any:
    """Fork a process in a new session, which inherits the pipe of the answer."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(120)
        os._exit(0)
    return linear(columns, labels, context)


def dies_and_leaves_a_process(_columns: Any, _labels: Any, _context: Any) -> Any:
    if os.fork() == 0:
        os.setsid()
        time.sleep(120)
    os._exit(7)


def returns_much(_columns: Any, _labels: Any, _context: Any) -> Any:
    return bytes(300 << 20)


def environment(_columns: Any, _labels: Any, _context: Any) -> Any:
    secrets = ("RONDO_", "AWS_", "PG", "GOOGLE_", "AZURE_", "OTEL_", "OMP_NUM_")
    raise ValueError(sorted(name for name in os.environ if name.startswith(secrets)))
