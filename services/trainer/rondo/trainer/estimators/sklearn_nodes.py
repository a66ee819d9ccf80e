"""Turns fitted objects of scikit-learn into ONNX nodes that compute with doubles, mostly by skl2onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import PolynomialFeatures

from rondo.trainer.estimators.base import ML_OPSET, OPSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.trainer.estimators.base import Target


def of_transformers(steps: Sequence[Any], matrix: str) -> tuple[list[onnx.NodeProto], str]:
    """Return the nodes of transformers, and the tensor that the last one computes. It is `matrix` if there are none.

    `matrix` is float32, and the tensors that are computed from it are float64.
    """
    if not steps:
        return [], matrix
    rows = "sklearn.rows"
    nodes = [helper.make_node("Cast", [matrix], [rows], name=rows, to=TensorProto.DOUBLE)]
    for index, step in enumerate(steps):
        source, rows = rows, f"sklearn.{index}.rows"
        if isinstance(step, SimpleImputer):
            nodes += _imputer(step, source, rows)
        elif isinstance(step, SelectorMixin):
            nodes += _selector(step, source, rows)
        elif isinstance(step, PolynomialFeatures):
            nodes += _polynomial(step, source, rows)
        else:
            nodes += _converted(step, source, rows, f"sklearn.{index}")
    return nodes, rows


def of_estimator(estimator: Any, target: Target, rows: str, raw: str) -> list[onnx.NodeProto]:
    """Return the nodes from `rows`, float32 or float64, to the raw prediction, float32 `[N, width]`."""
    shape = _constant("sklearn.shape", np.array([-1, target.width]))
    source, found, wanted = "sklearn.features", "sklearn.found", "sklearn.wanted"
    nodes = [
        helper.make_node("Cast", [rows], [source], name=source, to=TensorProto.DOUBLE),
        *_converted(estimator, source, found, "sklearn.estimator"),
    ]
    if target.kind == "probability":
        nodes += [
            _constant("sklearn.positive", np.array([1])),
            helper.make_node("Gather", [found, "sklearn.positive"], [wanted], name=wanted, axis=1),
        ]
        found = wanted
    return [
        *nodes,
        shape,
        helper.make_node("Reshape", [found, "sklearn.shape"], ["sklearn.shaped"], name="sklearn.shaped"),
        helper.make_node("Cast", ["sklearn.shaped"], [raw], name=raw, to=TensorProto.FLOAT),
    ]


def _imputer(step: SimpleImputer, source: str, output: str) -> list[onnx.NodeProto]:
    """Replace the operator `Imputer` of skl2onnx, which onnxruntime supports only for float32."""
    missing, filled = f"{output}.missing", f"{output}.filled"
    return [
        _constant(filled, np.asarray(step.statistics_, np.float64).reshape(1, -1)),
        helper.make_node("IsNaN", [source], [missing], name=missing),
        helper.make_node("Where", [missing, filled, source], [output], name=output),
    ]


def _selector(step: SelectorMixin, source: str, output: str) -> list[onnx.NodeProto]:
    """Replace the converter of skl2onnx 1.20, which makes an invalid graph if only the first column is kept."""
    kept = f"{output}.kept"
    return [
        _constant(kept, np.flatnonzero(step.get_support())),
        helper.make_node("Gather", [source, kept], [output], name=output, axis=1),
    ]


def _polynomial(step: PolynomialFeatures, source: str, output: str) -> list[onnx.NodeProto]:
    """Replace `ReduceProd` of skl2onnx, whose attributes differ between the operator sets that a graph may need."""
    powers, one = step.powers_, f"{output}.one"
    degrees = powers.sum(axis=1)
    # The columns that are the factors of each product, repeated by their powers. Beyond its degree a factor is 1.
    there = np.arange(degrees.max()) < degrees[:, None]
    columns = np.zeros(there.shape, dtype=np.int64)
    columns[there] = np.concatenate([np.repeat(np.arange(powers.shape[1]), each) for each in powers])
    nodes, product = [_constant(one, np.array(1.0))], one
    for turn in range(degrees.max()):
        at, mask, found, factor, result = (
            f"{output}.{turn}.{part}" for part in ("columns", "there", "found", "factor", "product")
        )
        nodes += [
            _constant(at, columns[:, turn]),
            _constant(mask, there[:, turn]),
            helper.make_node("Gather", [source, at], [found], name=found, axis=1),
            helper.make_node("Where", [mask, found, one], [factor], name=factor),
            helper.make_node("Mul", [product, factor], [result], name=result),
        ]
        product = result
    return [*nodes, helper.make_node("Identity", [product], [output], name=output)]


def _converted(step: Any, source: str, output: str, prefix: str) -> list[onnx.NodeProto]:
    """Return the nodes of a step. Intermediate tensors get the prefix, so no feature or other step has their names.

    The nodes of a classifier compute the probabilities, not the label.
    """
    from skl2onnx import convert_sklearn  # noqa: PLC0415 - a worker that only boosts does without its 32 MB
    from skl2onnx.common.data_types import DoubleTensorType  # noqa: PLC0415 - as above

    columns = ("matrix", DoubleTensorType([None, step.n_features_in_]))
    options = {id(step): {"zipmap": False}} if hasattr(step, "classes_") else None
    opset = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    graph = convert_sklearn(step, initial_types=[columns], target_opset=opset, options=options).graph
    names = {"matrix": source, graph.output[-1].name: output, "": ""}
    nodes = [_constant(tensor.name, numpy_helper.to_array(tensor)) for tensor in graph.initializer]
    nodes = _needed([*nodes, *graph.node], graph.output[-1].name)
    for index, node in enumerate(nodes):
        node.name = f"{prefix}.{index}"
        node.input[:] = [names.get(name, f"{prefix}.{name}") for name in node.input]
        node.output[:] = [names.get(name, f"{prefix}.{name}") for name in node.output]
    return nodes


def _needed(nodes: Sequence[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """Return the nodes that an output depends on, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _constant(name: str, value: NDArray[Any]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(value))
