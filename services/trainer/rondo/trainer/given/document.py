"""Checks that bytes are an ONNX model that is complete in itself, before any runtime sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import NodeProto, helper

from rondo.chassis import onnx_document
from rondo.chassis.onnx_document import (
    NEWEST,
    InvalidModelError,
    NotAModelError,
    TooManyMessagesError,
    messages_of,
    versions_of,
)
from rondo.trainer.given.errors import (
    CustomOperatorError,
    ExternalDataError,
    InvalidGraphError,
    ModelFunctionsError,
    ModelTooComplexError,
    ModelTooLargeError,
    NotOnnxError,
    RandomOperatorError,
    UnsupportedOpsetError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from google.protobuf.message import Message

MAX_BYTES = 256 * 1024 * 1024
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
        model = onnx_document.parse(content)
    except NotAModelError:
        raise NotOnnxError from None
    except TooManyMessagesError as error:
        raise ModelTooComplexError(str(error)) from None
    if (tensor := onnx_document.external_tensor(model)) is not None:
        raise ExternalDataError(tensor)
    _require_known_operators(model)
    for field in ("training_info", "doc_string", "configuration"):
        model.ClearField(field)
    model.graph.ClearField("quantization_annotation")
    # Metadata may have been appended to the file: of a key that occurs twice the last value holds.
    helper.set_model_props(model, onnx_document.metadata(model))
    model.graph.ClearField("value_info")
    try:
        onnx_document.check(model)
    except InvalidModelError as error:
        raise InvalidGraphError(str(error)) from None
    return model


def nodes(message: Message) -> Iterator[NodeProto]:
    """Yield every node, those of subgraphs too."""
    for found in messages_of(message, NodeProto):
        yield found
        yield from nodes_below(found)


def nodes_below(node: NodeProto) -> Iterator[NodeProto]:
    """Yield the nodes of the subgraphs of a node."""
    for attribute in node.attribute:
        yield from nodes(attribute)


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
    kept = {domain: version for domain, version in versions_of(model).items() if domain in NEWEST}
    del model.opset_import[:]
    # XGBoost's converter declares no version of the standard operators where it uses none of them.
    model.opset_import.extend(helper.make_opsetid(*each) for each in ({"": 15} | kept).items())
