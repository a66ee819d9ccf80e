"""Builds one ONNX graph from preparation and fitted model, so that training and serving cannot differ.

One input per feature, with its name, of shape `[N, 1]`: text for a category ("" where it is missing), float32 for
anything else (NaN where it is missing). One output, `score`, float32 `[N, 1]`: the probability of the positive class.

The same model gives the same bytes: names are fixed, nodes and tables have a fixed order.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from rondo.contracts.spec.model import Feature
from rondo.trainer.errors import TrainingImpossibleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.trainer.estimators.base import FittedModel
    from rondo.trainer.preparation.preparation import Preparation

SCORE = "score"
SIGNATURE, SPEC_DIGEST, TRAINED_UNTIL = "rondo.signature", "rondo.spec_digest", "rondo.trained_until"
# The name of a column has no dot, so this can't be a feature.
_MATRIX = "matrix.encoded"
# Old enough for any onnxruntime of the last years; nothing newer is needed.
OPSET, ML_OPSET, IR_VERSION = 15, 3, 8


class ReservedNameError(TrainingImpossibleError):
    """A feature has the name of the graph's output."""

    code = "reserved_name"

    def __init__(self) -> None:
        super().__init__(f"a feature can't be called {SCORE!r}, which is the model's output: rename the column")


def build(preparation: Preparation, model: FittedModel, metadata: Mapping[str, str]) -> bytes:
    """Return the serialized graph; `metadata` is stored in it beside the signature.

    Raises:
        ReservedNameError: a feature is called `score`.

    """
    if SCORE in preparation.features:
        raise ReservedNameError
    inputs = [_input(name, feature) for name, feature in preparation.features.items()]
    output = helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, ["N", 1])
    nodes = [*preparation.onnx_nodes(_MATRIX), *model.onnx_nodes(_MATRIX, SCORE)]
    graph = helper.make_graph(nodes, "rondo", inputs, [output])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="rondo.trainer")
    helper.set_model_props(proto, dict(sorted({SIGNATURE: signature(preparation.features), **metadata}.items())))
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


def signature(features: Mapping[str, Feature]) -> str:
    """Return the features, in their order, as JSON."""
    return json.dumps({name: feature.model_dump(mode="json", by_alias=True) for name, feature in features.items()})


def read_signature(model: bytes) -> dict[str, Feature]:
    """Return the features that a graph was built for, in their order."""
    described = json.loads(_metadata(model)[SIGNATURE])
    return {name: Feature.model_validate(feature) for name, feature in described.items()}


def trained_until(model: bytes) -> datetime | None:
    """Return the newest event time of the rows that a model was fitted to; None for a graph without it."""
    written = _metadata(model).get(TRAINED_UNTIL)
    return datetime.fromisoformat(written).astimezone(UTC) if written else None


def _metadata(model: bytes) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load_from_string(model).metadata_props}


def _input(name: str, feature: Feature) -> onnx.ValueInfoProto:
    kind = TensorProto.STRING if feature.type == "category" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, ["N", 1])
