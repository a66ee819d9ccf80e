"""Builds one ONNX graph from a model and the head of its task, so that training and serving cannot differ.

Each feature is an input with its name, of shape `[N, 1]`: text for a category ("" if it is missing), float32 for any
other type (NaN if it is missing). The outputs are those of the task (`rondo.contracts.tasks`).

The same model gives the same bytes: names are fixed, nodes and tables have a fixed order.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from rondo.contracts.events.training import Parameters
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.trainer.onnx_graph.feature_model import FeatureModel

SIGNATURE, SPEC_DIGEST, TRAINED_UNTIL = "rondo.signature", "rondo.spec_digest", "rondo.trained_until"
# The key of the trainer's kind and parameters. The next search begins with those of the champion.
PARAMETERS = "rondo.parameters"
# The tensor of the raw prediction. The name of a column has no dot, so it is no feature.
RAW = "matrix.raw"
_TENSORS = {"number": TensorProto.FLOAT, "probabilities": TensorProto.FLOAT, "label": TensorProto.INT64}


def build(model: FeatureModel, task: FittedTask, metadata: Mapping[str, str]) -> bytes:
    """Return the serialized graph. `metadata` is stored in it beside the signature and the task."""
    nodes = [*model.onnx_nodes(RAW), *task_named(task.task).head(task, RAW, helper.make_node)]
    graph = helper.make_graph(nodes, "rondo", inputs_of(model.features), _outputs(task))
    opsets = [helper.make_opsetid(domain, version) for domain, version in model.opsets.items()]
    format_version = helper.find_min_ir_version_for(opsets)
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=format_version, producer_name="rondo.trainer")
    props = {SIGNATURE: signature(model.features), FittedTask.METADATA: task.model_dump_json(), **metadata}
    helper.set_model_props(proto, dict(sorted(props.items())))
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


def signature(features: Mapping[str, Feature]) -> str:
    """Return the features, in their order, as JSON."""
    return json.dumps({name: feature.model_dump(mode="json", by_alias=True) for name, feature in features.items()})


def read_signature(model: bytes) -> dict[str, Feature]:
    """Return the features that a graph was built for, in their order."""
    described = json.loads(_metadata(model)[SIGNATURE])
    return {name: Feature.model_validate(feature) for name, feature in described.items()}


def read_task(model: bytes) -> FittedTask:
    """Return the task that a graph was built for."""
    return FittedTask.model_validate_json(_metadata(model)[FittedTask.METADATA])


def read_parameters(model: bytes) -> Parameters | None:
    """Return the trainer's kind and parameters that a model was fitted with. None if the graph has none."""
    written = _metadata(model).get(PARAMETERS)
    return Parameters.model_validate_json(written) if written else None


def trained_until(model: bytes) -> datetime | None:
    """Return the newest event time of the rows that a model was fitted to. None if the graph has none."""
    written = _metadata(model).get(TRAINED_UNTIL)
    return as_time(written) if written else None


def as_time(written: str) -> datetime:
    """Parse an event time of the metadata."""
    return datetime.fromisoformat(written).astimezone(UTC)


def _metadata(model: bytes) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load_from_string(model).metadata_props}


def inputs_of(features: Mapping[str, Feature]) -> list[onnx.ValueInfoProto]:
    """Return the inputs of a graph of features, in their order."""
    kinds = {True: TensorProto.STRING, False: TensorProto.FLOAT}
    return [
        helper.make_tensor_value_info(name, kinds[feature.type == "category"], ["N", 1])
        for name, feature in features.items()
    ]


def _outputs(task: FittedTask) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(
            output.tensor, _TENSORS[output.kind], ["N", len(task.labels) if output.kind == "probabilities" else 1]
        )
        for output in task_named(task.task).outputs(task)
    ]
