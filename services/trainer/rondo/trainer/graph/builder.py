"""Preparation and trees in one ONNX graph: what a model was trained on and what it is served cannot differ.

One input per feature, named like it, of shape `[N, 1]`: text for a category ("" where it is missing), float32
for anything else (NaN where it is missing). One output, `score`, float32 `[N, 1]`: the probability of the
positive class. The graph is a regression of the margin and a sigmoid: a classifier would give a label
too, whose declared shape makes onnxruntime warn at every call.

The same trees give the same bytes: names are fixed, nodes and tables are in a fixed order.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from rondo.contracts.spec.model import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.trainer.estimators.lightgbm_trees import Trees
    from rondo.trainer.graph.encoding import Codes, Preparation

SCORE = "score"
SIGNATURE, SPEC_DIGEST, KNOWS_UNTIL = "rondo.signature", "rondo.spec_digest", "rondo.knows_until"
# A column's name has no dot, so these can't be features.
MATRIX, MARGIN = "prepared.matrix", "trees.margin"
# Old enough for any onnxruntime of the last years; nothing newer is needed.
OPSET, ML_OPSET, IR_VERSION = 15, 3, 8


class ReservedNameError(ValueError):
    """A feature has the name of the graph's output."""

    def __init__(self) -> None:
        super().__init__(f"a feature can't be called {SCORE!r}, as the model's output is: rename the column")


def build(preparation: Preparation, trees: Trees, metadata: Mapping[str, str]) -> bytes:
    """Return the serialized graph; `metadata` is kept in it beside the signature.

    Raises:
        ReservedNameError: a feature is called `score`.

    """
    if SCORE in preparation.features:
        raise ReservedNameError
    inputs = [_input(name, feature) for name, feature in preparation.features.items()]
    output = helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, ["N", 1])
    graph = helper.make_graph(_nodes(preparation, trees), "rondo", inputs, [output])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="rondo.trainer")
    helper.set_model_props(model, dict(sorted({SIGNATURE: signature(preparation.features), **metadata}.items())))
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def signature(features: Mapping[str, Feature]) -> str:
    """Return the features, in their order, as JSON."""
    return json.dumps({name: feature.model_dump(mode="json", by_alias=True) for name, feature in features.items()})


def read_signature(model: bytes) -> dict[str, Feature]:
    """Return the features that a graph was built for, in their order."""
    described = json.loads(_metadata(model)[SIGNATURE])
    return {name: Feature.model_validate(feature) for name, feature in described.items()}


def knows_until(model: bytes) -> datetime | None:
    """Return the latest event time that a model was fitted to; None for a graph that does not say."""
    written = _metadata(model).get(KNOWS_UNTIL)
    return datetime.fromisoformat(written).astimezone(UTC) if written else None


def _metadata(model: bytes) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load_from_string(model).metadata_props}


def _input(name: str, feature: Feature) -> onnx.ValueInfoProto:
    kind = TensorProto.STRING if feature.type == "category" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, ["N", 1])


def _nodes(preparation: Preparation, trees: Trees) -> list[onnx.NodeProto]:
    encoders = [_encoder(name, codes) for name, codes in preparation.codes.items()]
    columns = [_coded(name) if name in preparation.codes else name for name in preparation.features]
    return [
        *encoders,
        helper.make_node("Concat", columns, [MATRIX], name="matrix", axis=1),
        _ensemble(trees),
        helper.make_node("Sigmoid", [MARGIN], [SCORE], name="score"),
    ]


def _coded(name: str) -> str:
    return f"coded.{name}"


def _encoder(name: str, codes: Codes) -> onnx.NodeProto:
    return helper.make_node(
        "LabelEncoder",
        [name],
        [_coded(name)],
        name=f"code.{name}",
        domain="ai.onnx.ml",
        keys_strings=list(codes.table),
        values_floats=list(codes.table.values()),
        default_float=codes.unseen,
    )


def _ensemble(trees: Trees) -> onnx.NodeProto:
    return helper.make_node(
        "TreeEnsembleRegressor",
        [MATRIX],
        [MARGIN],
        name="trees",
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        **asdict(trees),
    )
