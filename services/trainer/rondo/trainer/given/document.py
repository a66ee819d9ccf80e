"""Checks that bytes are an ONNX model that is complete in itself, before any runtime sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import NodeProto, TensorProto, checker, defs, helper

from rondo.trainer.given.errors import (
    CustomOperatorError,
    ExternalDataError,
    InvalidGraphError,
    ModelFunctionsError,
    ModelTooLargeError,
    NotOnnxError,
    RandomOperatorError,
    UnsupportedOpsetError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024 * 1024
ML = "ai.onnx.ml"
# As the registry and onnxruntime have them.
NEWEST = {"": defs.onnx_opset_version(), ML: 5}
_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


def parse(content: bytes, largest: int = MAX_BYTES) -> onnx.ModelProto:
    """Return a graph that needs nothing but the standard operators; the domain of `ai.onnx` is written as "".

    What only tools read (training, annotations, documentation) is dropped.

    Raises:
        GivenModelError: the model is too large, is no ONNX, needs other files or operators, or is random.

    """
    if len(content) > largest:
        raise ModelTooLargeError(len(content), largest)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise NotOnnxError from None
    # The bytes of a text may parse as a message without any known field.
    if not model.HasField("graph") or not model.graph.output:
        raise NotOnnxError
    _require_no_files(model)
    _require_known_operators(model)
    for field in ("training_info", "doc_string", "configuration"):
        model.ClearField(field)
    model.graph.ClearField("quantization_annotation")
    # Metadata may have been appended to the file: of a key that occurs twice the last value holds.
    helper.set_model_props(model, metadata(model))
    model.graph.ClearField("value_info")
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise InvalidGraphError(first_line(error)) from None
    return model


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def opsets(model: onnx.ModelProto) -> dict[str, int]:
    """Return the versions of the operators by domain."""
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}


def nodes(message: Message) -> Iterator[NodeProto]:
    """Yield every node, those of subgraphs too."""
    for found in _of(message, NodeProto):
        yield found
        yield from nodes_below(found)


def nodes_below(node: NodeProto) -> Iterator[NodeProto]:
    """Yield the nodes of the subgraphs of a node."""
    for attribute in node.attribute:
        yield from nodes(attribute)


def _require_no_files(model: onnx.ModelProto) -> None:
    """Refuse tensors outside of the model: it could read any file of the machine (CVE-2022-25882)."""
    for tensor in _of(model, TensorProto):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ExternalDataError(tensor.name)


def _require_known_operators(model: onnx.ModelProto) -> None:
    if model.functions:
        raise ModelFunctionsError(model.functions[0].name)
    for entry in model.opset_import:
        newest = NEWEST.get("" if entry.domain == "ai.onnx" else entry.domain)
        # Converters declare domains that no operator of the graph is of.
        if newest is not None and entry.version > newest:
            raise UnsupportedOpsetError(entry.domain or "ai.onnx", entry.version, newest)
    for node in nodes(model.graph):
        if node.domain == "ai.onnx":
            node.domain = ""
        if node.domain not in NEWEST:
            raise CustomOperatorError(node.op_type, node.domain)
        if node.op_type in _RANDOM:
            raise RandomOperatorError(node.op_type)
    kept = {domain: version for domain, version in opsets(model).items() if domain in NEWEST}
    del model.opset_import[:]
    # XGBoost's converter declares no version of the standard operators where it uses none of them.
    model.opset_import.extend(helper.make_opsetid(*each) for each in ({"": 15} | kept).items())


def _of(message: Message, kind: type[Message]) -> Iterator[Message]:
    """Yield every message of a kind that another holds, at any depth, but not what is inside of those."""
    if isinstance(message, kind):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                yield from _of(each, kind)
