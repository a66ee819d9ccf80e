"""Takes the models of champions out of their graphs.

If a champion is an ensemble, its member is the model that was fitted for it, and not the mean. An ensemble is never a
member of another one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from rondo.chassis.onnx_document import needed_nodes
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.errors import GraphFailedError
from rondo.trainer.onnx_graph.parity import LATEST_ROWS
from rondo.trainer.preparation import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature, ModelSpec
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.ports import Score
    from rondo.trainer.preparation.inputs import Inputs

    Predict = Callable[[Inputs], Mapping[str, NDArray[Any]]]

# Keys in the metadata of an ensemble. The first has the versions of its members as JSON, in the order of their
# prefixes, with null for the model that was fitted for it. The second has the newest event time of the rows that this
# model was fitted to.
MEMBERS, FITTED_UNTIL = "rondo.members", "rondo.fitted_until"
_OUTPUT = "member.raw"


class NoMemberError(ValueError):
    """A champion's model can't be a member. The message follows "version 3 is left out: "."""


@dataclass(frozen=True)
class Member:
    """The model of a version: a graph from the features to its raw prediction alone, shape `[N, width]`."""

    native: ClassVar[bool] = False

    version: int
    digest: str
    fitted_until: datetime | None
    features: Mapping[str, Feature]
    graph: onnx.ModelProto
    score: Score

    @cached_property
    def content(self) -> bytes:
        content: bytes = self.graph.SerializeToString(deterministic=True)
        return content

    @cached_property
    def _loaded(self) -> Predict:
        return self.score.loaded(self.content)

    def predict_checked(self, holdout: pl.DataFrame, compared: pl.DataFrame) -> NDArray[np.float64]:
        """Return the predictions of the holdout, and check those of the rows of the comparison with a graph.

        An ensemble has to predict both. The compared rows begin with the latest rows, which are the end of the holdout.

        Raises:
            NoMemberError: it fails on a row, or gives no finite number for a row of the holdout.

        """
        try:
            found = self.predict(holdout)
            self.predict(compared[LATEST_ROWS:] if holdout.height >= LATEST_ROWS else compared)
        except GraphFailedError as error:
            raise NoMemberError(f"it fails on a row ({error})") from error
        if not np.isfinite(found).all():
            raise NoMemberError("it gives no finite number for a row of the holdout")
        return found

    def predict(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        found = self._loaded(inputs.onnx_inputs(self.features, rows))[_OUTPUT]
        return np.asarray(found, np.float64).reshape(rows.height, -1)


def read_member(version: int, content: bytes | None, spec: ModelSpec, classes: tuple[str, ...], score: Score) -> Member:
    """Return the model that a champion was fitted with.

    Raises:
        NoMemberError: it is missing, or has other features, another task or other classes than the spec.

    """
    if content is None:
        raise NoMemberError("its artifact is missing or damaged")
    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    features, task = builder.read_signature(content), builder.read_task(content)
    if task.task != spec.task:
        raise NoMemberError(f"its task is {task.task}")
    if task.labels != classes:
        raise NoMemberError(f"its classes are {', '.join(task.labels)}")
    if problem := _other_features(features, spec.features):
        raise NoMemberError(problem)
    graph = raw_graph(model, _raw_tensor(metadata))
    fitted_until = metadata.get(FITTED_UNTIL)
    until = builder.trained_until(content) if fitted_until is None else builder.as_time(fitted_until)
    return Member(version, f"sha256:{hashlib.sha256(content).hexdigest()}", until, features, graph, score)


def raw_graph_of(model: FeatureModel) -> onnx.ModelProto:
    """Return a fitted model as a graph from the features to the raw prediction."""
    opsets = [helper.make_opsetid(domain, version) for domain, version in model.opsets.items()]
    graph = helper.make_graph(model.onnx_nodes(builder.RAW), "rondo", builder.inputs_of(model.features), [])
    return raw_graph(helper.make_model(graph, opset_imports=opsets), builder.RAW)


def raw_graph(model: onnx.ModelProto, tensor: str) -> onnx.ModelProto:
    """Return the part of a graph that computes one tensor, as its only output.

    Raises:
        NoMemberError: the graph has no such tensor.

    """
    constants = [helper.make_node("Constant", [], [each.name], value=each) for each in model.graph.initializer]
    nodes = needed_nodes([*constants, *model.graph.node], tensor)
    if not nodes:
        raise NoMemberError("its graph has no raw prediction: it was made by another release")
    ended = [*nodes, helper.make_node("Identity", [tensor], [_OUTPUT], name=_OUTPUT)]
    output = helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["N", None])
    graph = helper.make_graph(ended, "member", model.graph.input, [output])
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def prefixed_nodes(model: onnx.ModelProto, prefix: str, raw: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a member that compute `raw`. All names but those of the features get the prefix."""
    graph = compose.add_prefix_graph(model.graph, prefix, rename_inputs=False, rename_outputs=False)
    for node in graph.node:
        node.output[:] = [raw if name == _OUTPUT else name for name in node.output]
        yield node


def _raw_tensor(metadata: Mapping[str, str]) -> str:
    """Return the name of the raw prediction's tensor of the model that was fitted for a version."""
    if MEMBERS not in metadata:
        return builder.RAW
    versions = json.loads(metadata[MEMBERS])
    if None not in versions:
        raise NoMemberError("the model that was fitted for it had the weight 0")
    return raw_tensor(versions.index(None))


def raw_tensor(index: int) -> str:
    """Return the name of the tensor with the raw prediction of a member."""
    return f"{prefix(index)}raw"


def prefix(index: int) -> str:
    return f"member.{index}."


def _other_features(own: Mapping[str, Feature], wanted: Mapping[str, Feature]) -> str | None:
    """Return how the features of a model differ from those of the spec: names, types, or fewer optional ones."""
    if own.keys() != wanted.keys():
        return f"its features are others: {', '.join(sorted(own.keys() ^ wanted.keys()))}"
    for name, feature in wanted.items():
        if (feature.type == "category") != (own[name].type == "category"):
            return f"its feature {name} is of type {own[name].type}"
        if feature.optional and not own[name].optional:
            return f"its feature {name} may not be missing"
    return None
