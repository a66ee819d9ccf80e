"""Graphs like those of other tools: made by converters, and handmade with one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from rondo.contracts.spec.model import Feature
from rondo.trainer.external_models.model import ExternalModel, read_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from rondo.contracts.tasks.base import TargetKind

FLOAT, TEXT = TensorProto.FLOAT, TensorProto.STRING
NUMBERS = {name: Feature(type="float", optional=True) for name in ("a", "b", "c", "d")}
_RNG = np.random.default_rng(3)
X = _RNG.normal(size=(200, 4)).astype(np.float32)
COLUMNS = {name: X[:, [at]] for at, name in enumerate(NUMBERS)}
BINARY = (X[:, 0] > 0).astype(np.int64)
CLASSES = np.array(["cat", "dog", "owl"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def run(model: bytes, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a graph of these tests in this process, without limits."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [np.asarray(found) for found in session.run(list(outputs), dict(feeds))]


def given(
    model: onnx.ModelProto,
    target: TargetKind = "probability",
    classes: Sequence[str] | None = ("0", "1"),
    features: Mapping[str, Feature] = NUMBERS,
    columns: Mapping[str, NDArray[Any]] = COLUMNS,
) -> ExternalModel:
    sample = {name: values[:3] for name, values in columns.items()}
    return read_model(model.SerializeToString(), features, target, classes, sample, run)


def graph(
    *nodes: onnx.NodeProto,
    inputs: Mapping[str, tuple[int, list[Any]]] | None = None,
    outputs: Mapping[str, tuple[int, list[Any]]] | None = None,
    metadata: Mapping[str, str] | None = None,
    opsets: Mapping[str, int] | None = None,
    initializers: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """Return a graph. By default it maps `x` `[N, 4]` to `y` `[N, 1]`."""
    proto = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *each) for name, each in (inputs or {"x": (FLOAT, ["N", 4])}).items()],
        [helper.make_tensor_value_info(name, *each) for name, each in (outputs or {"y": (FLOAT, ["N", 1])}).items()],
        initializer=initializers,
    )
    versions = [helper.make_opsetid(*each) for each in (opsets or {"": 15}).items()]
    made = helper.make_model(proto, opset_imports=versions, ir_version=8)
    helper.set_model_props(made, dict(metadata or {}))
    return made


def column(source: str = "x", output: str = "y", at: int = 0) -> list[onnx.NodeProto]:
    """Return the nodes that take a column and map it to values between 0 and 1."""
    return [
        helper.make_node("Constant", [], [f"{output}.at"], value_ints=[at]),
        helper.make_node("Gather", [source, f"{output}.at"], [f"{output}.taken"], axis=1),
        helper.make_node("Sigmoid", [f"{output}.taken"], [output]),
    ]


def scored(model: ExternalModel, features: Mapping[str, Feature], columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the output of the nodes for one tensor per feature."""
    kinds = {name: TEXT if each.type == "category" else FLOAT for name, each in features.items()}
    made = graph(
        *model.onnx_nodes_of_columns("matrix.raw"),
        inputs={name: (kind, ["N", 1]) for name, kind in kinds.items()},
        outputs={"matrix.raw": (FLOAT, ["N", None])},
        opsets=model.opsets,
    )
    onnx.checker.check_model(made)
    return run(made.SerializeToString(), ["matrix.raw"], dict(columns))[0]


def scored_as_matrix(model: ExternalModel, matrix: NDArray[np.float32]) -> NDArray[Any]:
    made = graph(
        *model.onnx_nodes("matrix.encoded", "matrix.raw"),
        inputs={"matrix.encoded": (FLOAT, ["N", matrix.shape[1]])},
        outputs={"matrix.raw": (FLOAT, ["N", None])},
        opsets=model.opsets,
    )
    onnx.checker.check_model(made)
    return run(made.SerializeToString(), ["matrix.raw"], {"matrix.encoded": matrix})[0]
