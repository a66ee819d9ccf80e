"""Parses and checks untrusted ONNX documents without a runtime. Needs the extra `onnx` of this package.

The registry and the trainer use it, each with separate errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, checker, defs

from rondo.chassis.onnx_wire import DamagedDocumentError, TooManyMessagesError, require_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The limits allow at most 80 MB for the messages, and some seconds to count the fields. A forest has few messages, and
# a field for each of its nodes.
MAX_MESSAGES, MAX_FIELDS = 500_000, 8_000_000

M = TypeVar("M", bound=Message)

ML = "ai.onnx.ml"
# The newest version of each set of operators that onnxruntime in serving supports.
NEWEST: Mapping[str, int] = {"": defs.onnx_opset_version(), ML: 5}


__all__ = ["TooManyMessagesError"]


class NotAModelError(ValueError):
    """The bytes are no ONNX model."""

    code = "not_a_model"


class InvalidModelError(ValueError):
    """The model breaks a rule of ONNX. The message is the checker's, in one line."""

    code = "invalid_model"


def parse(content: bytes) -> onnx.ModelProto:
    """Parse a model. It is only checked that it has a graph with outputs.

    Raises:
        NotAModelError: the bytes are no such model.
        TooManyMessagesError: it has more messages than `MAX_MESSAGES`, or more fields than `MAX_FIELDS`.

    """
    try:
        require_bounded(content, MAX_MESSAGES, MAX_FIELDS)
        model = onnx.load_model_from_string(content)
    except (DamagedDocumentError, DecodeError):
        raise NotAModelError("it is not an ONNX model") from None
    # The bytes of a text may be a valid message without any known field.
    if not model.HasField("graph") or not model.graph.output:
        raise NotAModelError("it is not an ONNX model")
    return model


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Return the metadata. If a key occurs twice, its last value counts."""
    return {entry.key: entry.value for entry in model.metadata_props}


def versions_of(model: onnx.ModelProto) -> dict[str, int]:
    """Return the versions of the operators by domain. The domain of ONNX is ""."""
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}


def external_tensor(model: onnx.ModelProto) -> str | None:
    """Return the name of a tensor in another file, if there is one. It could read any file (CVE-2022-25882)."""
    for tensor in messages_of(model, TensorProto):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            return str(tensor.name)
    return None


def messages_of(message: Message, kind: type[M]) -> Iterator[M]:
    """Yield every message of a kind inside another one, at any depth, without descending into messages of the kind."""
    if isinstance(message, kind):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                yield from messages_of(each, kind)


def needed_nodes(nodes: Sequence[onnx.NodeProto], tensor: str) -> list[onnx.NodeProto]:
    """Return the nodes that a tensor depends on, in their order."""
    wanted, kept = {tensor}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= {*node.input, *_captured(node)}
            kept.append(node)
    return kept[::-1]


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names of the tensors that the subgraphs of a node use, from the outer graph or from inside."""
    for graph in subgraphs(node):
        for inner in graph.node:
            yield from inner.input
            yield from _captured(inner)
        yield from (output.name for output in graph.output)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ()))


def check(model: onnx.ModelProto) -> None:
    """Check the graph with ONNX's checker.

    Raises:
        InvalidModelError: it is not valid.

    """
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise InvalidModelError(first_line(error)) from None


def first_line(error: Exception) -> str:
    """Return the message of an error of ONNX, without the dump of the graph that follows."""
    return str(error).partition("\n")[0][:300]
