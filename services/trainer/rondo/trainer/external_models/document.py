"""Checks that bytes are an ONNX model that is complete in itself, before any runtime sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import NodeProto, TensorProto, helper

from rondo.chassis import onnx_document
from rondo.chassis.onnx_document import (
    NEWEST,
    InvalidModelError,
    NotAModelError,
    TooManyMessagesError,
    messages_of,
    subgraphs,
    versions_of,
)
from rondo.trainer.external_models.errors import (
    CustomOperatorError,
    ExternalDataError,
    InvalidGraphError,
    ModelFunctionsError,
    ModelTooComplexError,
    ModelTooLargeError,
    NotOnnxError,
    RandomOperatorError,
    TrainingModeError,
    UnsupportedOpsetError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from google.protobuf.message import Message

_DEFAULT_OPSET = 15
# Since this version Dropout returns its input, unless its third input `training_mode` (since version 12) is true.
_INERT_DROPOUT = 7
# Before this version the attribute `is_test` makes a BatchNormalization compute as in inference. Since this version it
# does so by default, unless it has more than one output, or (since version 14) `training_mode` is 1.
_WITHOUT_IS_TEST = 7
MAX_BYTES = 256 * 1024 * 1024
_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


def parse(content: bytes, largest: int = MAX_BYTES) -> onnx.ModelProto:
    """Return a graph that needs nothing but the standard operators. The domain of `ai.onnx` is written as "".

    Parts that only tools read (training, annotations, documentation) are dropped.

    Raises:
        ExternalModelError: the model is too large, is no ONNX model, needs other files or operators, or is random.

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
    # Metadata may have been appended to the file. If a key occurs twice, its last value counts.
    helper.set_model_props(model, onnx_document.metadata(model))
    model.graph.ClearField("value_info")
    try:
        onnx_document.check(model)
    except InvalidModelError as error:
        raise InvalidGraphError(str(error)) from None
    return model


def nodes(message: Message) -> Iterator[NodeProto]:
    """Yield every node, including those of subgraphs."""
    for found in messages_of(message, NodeProto):
        yield found
        yield from nodes_below(found)


def nodes_below(node: NodeProto) -> Iterator[NodeProto]:
    for attribute in node.attribute:
        yield from nodes(attribute)


def _require_known_operators(model: onnx.ModelProto) -> None:
    if model.functions:
        raise ModelFunctionsError(model.functions[0].name)
    for entry in model.opset_import:
        newest = NEWEST.get("" if entry.domain == "ai.onnx" else entry.domain)
        # Converters also declare domains that no operator of the graph belongs to.
        if newest is not None and entry.version > newest:
            raise UnsupportedOpsetError(entry.domain or "ai.onnx", entry.version, newest)
    version, false = versions_of(model).get("", _DEFAULT_OPSET), _false_constants(model)
    for node in nodes(model.graph):
        if node.domain == "ai.onnx":
            node.domain = ""
        if node.domain not in NEWEST:
            raise CustomOperatorError(node.op_type, node.domain)
        if node.op_type in _RANDOM or (node.op_type == "Dropout" and _drops(node, version, false)):
            raise RandomOperatorError(node.op_type)
        if node.op_type == "BatchNormalization" and _is_as_in_training(node, version):
            raise TrainingModeError(node.name or next(iter(node.output), node.op_type))
    kept = {domain: version for domain, version in versions_of(model).items() if domain in NEWEST}
    del model.opset_import[:]
    # XGBoost's converter declares no version of the standard operators if it uses none of them.
    model.opset_import.extend(helper.make_opsetid(*each) for each in ({"": _DEFAULT_OPSET} | kept).items())


def _drops(node: NodeProto, version: int, false: set[str]) -> bool:
    """Return whether a Dropout may be random: it is in training mode, or an input that is no constant decides."""
    if version < _INERT_DROPOUT:
        return not any(attribute.name == "is_test" and attribute.i for attribute in node.attribute)
    return any(name and name not in false for name in node.input[2:])


def _is_as_in_training(node: NodeProto, version: int) -> bool:
    """Return whether a BatchNormalization computes mean and variance of its batch (ONNX, operators 1, 7, 9 and 14)."""
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    if version < _WITHOUT_IS_TEST:
        return not flags.get("is_test")
    return bool(flags.get("training_mode")) or sum(map(bool, node.output)) > 1


def _false_constants(model: onnx.ModelProto) -> set[str]:
    """Return the names of tensors that are a single false wherever the graph defines them as constants."""
    graphs = [model.graph, *(each for node in nodes(model.graph) for each in subgraphs(node))]
    tensors = [(tensor.name, tensor) for graph in graphs for tensor in graph.initializer]
    for node in nodes(model.graph):
        if node.op_type == "Constant":
            tensors += [(node.output[0], each.t) for each in node.attribute if each.name == "value" and node.output]
    return {name for name, _ in tensors} - {name for name, tensor in tensors if not _is_false(tensor)}


def _is_false(tensor: TensorProto) -> bool:
    if tensor.data_type != TensorProto.BOOL:
        return False
    return not any(tensor.raw_data) and not any(tensor.int32_data)
