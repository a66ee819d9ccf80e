"""Matches the inputs of a graph to features."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import TensorProto, helper

from rondo.trainer.external_models.errors import UnmatchedInputsError, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature

    Columns: TypeAlias = Mapping[str, NDArray[Any]]

FEATURES = "rondo.features"
PREFIX = "external."
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
# A missing number is NaN, which these types can't hold.
_WHOLE = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
_MATRIX_RANK = 2


@dataclass(frozen=True)
class MatrixInput:
    """One input of shape `[N, columns]`. `of_matrix` are the positions of its columns among all columns."""

    name: str
    element: int
    columns: tuple[str, ...]
    of_matrix: tuple[int, ...]

    def feeds(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Return the inputs of a run of the graph, from columns of shape `[N, 1]`."""
        return {self.name: _as(self.element, np.hstack([rows[name] for name in self.columns]))}

    def onnx_nodes(self, tensors: Mapping[str, str]) -> list[onnx.NodeProto]:
        """Return the nodes that compute the input from tensors of shape `[N, 1]`, by the names of the columns."""
        joined = f"joined.{self.name}"
        concat = helper.make_node("Concat", [tensors[name] for name in self.columns], [joined], name=joined, axis=1)
        return [concat, _cast(joined, self.name, self.element)]

    def onnx_nodes_of_matrix(self, matrix: str) -> list[onnx.NodeProto]:
        """Return the nodes that compute the input from a tensor of all columns."""
        taken = f"joined.{self.name}"
        return [*_take(matrix, self.of_matrix, taken), _cast(taken, self.name, self.element)]


@dataclass(frozen=True)
class ColumnInput:
    """An input that is one feature, of shape `[N, 1]`, or `[N]` where `rank` is 1."""

    name: str
    element: int
    rank: int
    of_matrix: int


@dataclass(frozen=True)
class ColumnInputs:
    """One input for each feature that the graph uses, under the name of the feature."""

    inputs: tuple[ColumnInput, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.inputs)

    def feeds(self, rows: Columns) -> dict[str, NDArray[Any]]:
        return {each.name: _as(each.element, rows[each.name].reshape((-1, 1)[: each.rank])) for each in self.inputs}

    def onnx_nodes(self, tensors: Mapping[str, str]) -> list[onnx.NodeProto]:
        return [node for each in self.inputs for node in _of_column(each, tensors[each.name])]

    def onnx_nodes_of_matrix(self, matrix: str) -> list[onnx.NodeProto]:
        nodes = []
        for each in self.inputs:
            taken = f"taken.{each.name}"
            nodes += [*_take(matrix, (each.of_matrix,), taken), *_of_column(each, taken)]
        return nodes


GivenInputs: TypeAlias = "MatrixInput | ColumnInputs"


def match_inputs(model: onnx.ModelProto, features: Mapping[str, Feature]) -> GivenInputs:
    """Return the features that the inputs of a graph hold.

    A single float input of two dimensions holds all features in the order of the spec, or those that the metadata
    `rondo.features` lists as JSON. Other inputs have the names of features.

    Raises:
        UnmatchedInputsError: the inputs are not the features.

    """
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialized]
    named = _listed_features(model, features)
    if len(inputs) == 1 and inputs[0].name not in features and _rank(inputs[0]) == _MATRIX_RANK:
        single = _sizes(inputs[0])[1] == 1
        # A single input of one column, whose name is no feature, is a feature that the spec lacks.
        if named or not single or len(features) == 1:
            return _matrix(inputs[0], features, named or tuple(features))
    return _columns(inputs, features)


def _listed_features(model: onnx.ModelProto, features: Mapping[str, Feature]) -> tuple[str, ...]:
    written = next((entry.value for entry in model.metadata_props if entry.key == FEATURES), None)
    if written is None:
        return ()
    try:
        names = json.loads(written)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnmatchedInputsError([f"the metadata `{FEATURES}` is no JSON list of names"], list(features))
    if unknown := [name for name in names if name not in features]:
        raise UnmatchedInputsError([f"{listed(unknown)} of `{FEATURES}` is no feature of the spec"], list(features))
    return tuple(names)


def _matrix(value: onnx.ValueInfoProto, features: Mapping[str, Feature], columns: tuple[str, ...]) -> MatrixInput:
    problems = []
    if value.type.tensor_type.elem_type not in _FLOATS:
        problems.append(f"the input {value.name!r} has the type {_type(value)}, and float is needed")
    if texts := [name for name in columns if features[name].type == "category"]:
        problems.append(f"{listed(texts)} is a category, whose texts the float input {value.name!r} can't hold")
    rows, width = _sizes(value)
    if rows:
        problems.append(f"the input {value.name!r} takes exactly {rows} rows, and any number is needed")
    if width and width != len(columns):
        problems.append(f"the input {value.name!r} has {width} columns, and there are {len(columns)}")
    if problems:
        raise UnmatchedInputsError(problems, list(features))
    places = tuple(list(features).index(name) for name in columns)
    return MatrixInput(value.name, value.type.tensor_type.elem_type, columns, places)


def _columns(inputs: Sequence[onnx.ValueInfoProto], features: Mapping[str, Feature]) -> ColumnInputs:
    problems = [] if inputs else ["it has no input"]
    if unknown := [value.name for value in inputs if value.name not in features]:
        lacking = [name for name in features if name not in {value.name for value in inputs}]
        without = f", and {listed(lacking)} has no input" if lacking else ""
        problems.append(f"{listed(unknown)} is no feature of the spec{without}")
    for value in inputs:
        if value.name in features:
            problems.extend(_faults(value, features[value.name]))
    if problems:
        raise UnmatchedInputsError(problems, list(features))
    places = list(features)
    return ColumnInputs(
        tuple(
            ColumnInput(value.name, value.type.tensor_type.elem_type, _rank(value), places.index(value.name))
            for value in inputs
        )
    )


def _faults(value: onnx.ValueInfoProto, feature: Feature) -> list[str]:
    element, rank = value.type.tensor_type.elem_type, _rank(value)
    rows, *width = _sizes(value)
    wanted: tuple[int, ...] = (TensorProto.STRING,) if feature.type == "category" else _FLOATS
    if feature.type in ("int", "bool") and not feature.optional:
        wanted = (*wanted, *_WHOLE)
    found = []
    if element not in wanted:
        found.append(f"{value.name!r} has the type {_type(value)}, and {' or '.join(map(type_name, wanted))} is needed")
    if rank not in (1, 2) or any(size > 1 for size in width):
        found.append(f"{value.name!r} has the shape {_shape(value)}, and [N, 1] is needed")
    if rows:
        found.append(f"{value.name!r} takes exactly {rows} rows, and any number is needed")
    return found


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    """Return the fixed sizes of the dimensions. 0 for a dimension of any size."""
    return [max(0, each.dim_value) for each in value.type.tensor_type.shape.dim] or [0]


def _rank(value: onnx.ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim)


def _shape(value: onnx.ValueInfoProto) -> str:
    return "[" + ", ".join(str(size or "N") for size in _sizes(value)) + "]"


def _type(value: onnx.ValueInfoProto) -> str:
    kind = value.type.WhichOneof("value")
    return type_name(value.type.tensor_type.elem_type) if kind == "tensor_type" else str(kind).removesuffix("_type")


def type_name(element: int) -> str:
    return str(TensorProto.DataType.Name(element)).lower()


def _as(element: int, values: NDArray[Any]) -> NDArray[Any]:
    if element == TensorProto.STRING:
        return values
    with np.errstate(invalid="ignore"):
        return values.astype(helper.tensor_dtype_to_np_dtype(element))


def _cast(source: str, name: str, element: int) -> onnx.NodeProto:
    target = f"{PREFIX}{name}"
    if element in (TensorProto.FLOAT, TensorProto.STRING):
        return helper.make_node("Identity", [source], [target], name=target)
    return helper.make_node("Cast", [source], [target], name=target, to=element)


def _of_column(each: ColumnInput, tensor: str) -> list[onnx.NodeProto]:
    if each.rank == _MATRIX_RANK:
        return [_cast(tensor, each.name, each.element)]
    shape, flat = f"flat.{each.name}.shape", f"flat.{each.name}"
    return [
        helper.make_node("Constant", [], [shape], name=shape, value_ints=[-1]),
        helper.make_node("Reshape", [tensor, shape], [flat], name=flat),
        _cast(flat, each.name, each.element),
    ]


def _take(matrix: str, columns: Sequence[int], output: str) -> list[onnx.NodeProto]:
    at = f"{output}.columns"
    return [
        helper.make_node("Constant", [], [at], name=at, value_ints=list(columns)),
        helper.make_node("Gather", [matrix, at], [output], name=output, axis=1),
    ]
