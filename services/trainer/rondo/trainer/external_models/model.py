"""A model made elsewhere, behind the protocol of a fitted model: it predicts, and returns nodes for our graph.

    model = read_model(content, features, "probability", ("no", "yes"), sample, run)

It predicts with the given graph. `onnx_nodes` are the same operators under other names, so the comparison of both
(`onnx_graph.parity`) checks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import onnx
from onnx import helper, version_converter

from rondo.chassis import onnx_document
from rondo.trainer.external_models import document
from rondo.trainer.external_models.errors import InvalidGraphError
from rondo.trainer.external_models.inputs import PREFIX, match_inputs
from rondo.trainer.external_models.outputs import candidate_output, raw_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.contracts.tasks.base import TargetKind
    from rondo.trainer.external_models.inputs import Columns, GivenInputs
    from rondo.trainer.external_models.outputs import RawOutput

# The operators of our own nodes need these.
_LEAST_OPSET = 15
_LEAST_CONVERTED = 13


class RunGraph(Protocol):
    """Runs a graph from an untrusted source, within bounds of time and memory."""

    def __call__(
        self, model: bytes, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]
    ) -> Sequence[NDArray[Any]]:
        """Return the outputs with these names, which are numeric.

        Raises:
            InvalidGraphError: the runtime can't load the graph.
            RunFailedError: the graph fails on these rows.
            RunTimeoutError: it takes too long.
            RunMemoryError: it needs too much memory.

        """
        ...


@dataclass(frozen=True)
class ExternalModel:
    """A graph with known inputs and a known prediction.

    It is a `FittedModel` over the columns that it was read for, in their order, if all of them are numbers.
    """

    features: tuple[str, ...]
    inputs: GivenInputs
    output: RawOutput
    opsets: Mapping[str, int]
    metadata: Mapping[str, str]
    _graph: onnx.GraphProto
    _content: bytes
    _run: RunGraph

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the raw prediction. None if it is a number."""
        return self.output.classes

    @property
    def unused(self) -> tuple[str, ...]:
        """The features that the graph does not use."""
        return tuple(name for name in self.features if name not in self.inputs.columns)

    def predict_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return the raw predictions, shape `[rows, width]`, of columns by name, each of shape `[rows, 1]`.

        Raises:
            ExternalModelError: the graph fails, takes too long, or the predictions of a classifier are no
                probabilities.

        """
        (found,) = self._run(self._content, [self.output.name], self.inputs.feeds(columns))
        return self.output.take(found)

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the raw predictions `[rows, width]` of `[rows, columns]`."""
        return self.predict_columns({name: matrix[:, [at]] for at, name in enumerate(self.features)})

    def onnx_nodes(self, matrix: str, raw: str) -> list[onnx.NodeProto]:
        """Return the nodes from `matrix`, float32 `[N, columns]`, to `raw`, float32 `[N, width]`."""
        return [*self.inputs.onnx_nodes_of_matrix(matrix), *self._nodes(), *self.output.onnx_nodes(raw)]

    def onnx_nodes_of_columns(self, raw: str) -> list[onnx.NodeProto]:
        """Return the nodes from tensors `[N, 1]` with the names of the features to `raw`, float32 `[N, width]`."""
        tensors = {name: name for name in self.inputs.columns}
        return [*self.inputs.onnx_nodes(tensors), *self._nodes(), *self.output.onnx_nodes(raw)]

    def _nodes(self) -> list[onnx.NodeProto]:
        return _renamed(_needed(self._graph, self.output.name))


def read_model(
    content: bytes,
    features: Mapping[str, Feature],
    target: TargetKind,
    classes: Sequence[str] | None,
    sample: Columns,
    run: RunGraph,
) -> ExternalModel:
    """Read a model from ONNX bytes.

    `features` are the columns that it may use, in the order of a matrix. `classes` are the classes in the order of the
    raw prediction. For a single probability they are the negative and the positive class. None takes the classes of
    the graph. `sample` has at least one row: by feature a column of shape `[rows, 1]`.

    Raises:
        ExternalModelError: it can't be used. The message says what to export instead.

    """
    model = document.parse(content)
    metadata = onnx_document.metadata(model)
    inputs, name = match_inputs(model, features), candidate_output(model, target)
    model.ClearField("metadata_props")
    plain = model.SerializeToString(deterministic=True)
    rows = len(next(iter(sample.values())))
    (found,) = run(plain, [name], inputs.feeds(sample))
    described = onnx.ModelProto()
    described.CopyFrom(model)
    helper.set_model_props(described, metadata)
    output = raw_output(described, name, found, rows, target, tuple(classes) if classes is not None else None)
    current = _with_current_operators(model)
    return ExternalModel(
        tuple(features), inputs, output, onnx_document.versions_of(current), metadata, current.graph, plain, run
    )


def _with_current_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with operators of a version that our nodes can share. A graph that is new enough stays as it is.

    The operators of `ai.onnx.ml` keep their own version.
    """
    version = onnx_document.versions_of(model)[""]
    if version >= _LEAST_CONVERTED:
        return model
    try:
        return version_converter.convert_version(model, _LEAST_OPSET)
    except (RuntimeError, ValueError) as error:
        raise InvalidGraphError(
            f"its operators of version {version} can't be read as those of {_LEAST_OPSET}:"
            f" {onnx_document.first_line(error)}; export it with the target opset {_LEAST_OPSET}"
        ) from None


def _needed(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """Return the nodes that an output depends on, in their order. Initializers become constants."""
    dense = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in graph.initializer]
    sparse = [
        helper.make_node("Constant", [], [tensor.values.name], sparse_value=tensor)
        for tensor in graph.sparse_initializer
    ]
    return onnx_document.needed_nodes([*dense, *sparse, *graph.node], output)


def _renamed(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return copies whose names have a prefix, so that no feature and none of our nodes has the same name."""
    copies = []
    for index, node in enumerate(nodes):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{PREFIX}{index}"
        _rename(copy)
        copies.append(copy)
    return copies


def _rename(node: onnx.NodeProto) -> None:
    node.input[:] = [_prefixed(name) for name in node.input]
    node.output[:] = [_prefixed(name) for name in node.output]
    for graph in onnx_document.subgraphs(node):
        _rename_graph(graph)


def _rename_graph(graph: onnx.GraphProto) -> None:
    named = [*graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for each in [*named, *(tensor.values for tensor in graph.sparse_initializer)]:
        each.name = _prefixed(each.name)
    for node in graph.node:
        _rename(node)


def _prefixed(name: str) -> str:
    return f"{PREFIX}{name}" if name else name
