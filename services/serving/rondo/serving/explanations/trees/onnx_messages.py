"""The parts of ONNX documents that explanations need, as protobuf messages, without the package `onnx`.

The numbers are those of `onnx.proto`. A parsed message keeps the fields that are not listed here, so a changed document
is a complete one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = "rondo.onnx"
_FIELD = descriptor_pb2.FieldDescriptorProto
# For each message the number and the type of each field. A type in brackets is of repeated values.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph")},
    "Graph": {
        "node": (1, "[Node]"), "initializer": (5, "[Tensor]"), "input": (11, "[Value]"), "output": (12, "[Value]"),
        "value_info": (13, "[Value]"),
    },
    "Value": {"name": (1, "string")},
    "Node": {
        "input": (1, "[string]"), "output": (2, "[string]"), "op_type": (4, "string"), "domain": (7, "string"),
        "attribute": (5, "[Attribute]"),
    },
    "Attribute": {
        "name": (1, "string"), "f": (2, "float"), "i": (3, "int64"), "s": (4, "bytes"), "t": (5, "Tensor"),
        "g": (6, "Graph"), "floats": (7, "[float]"), "ints": (8, "[int64]"), "strings": (9, "[bytes]"),
        "graphs": (11, "[Graph]"),
    },
    "Tensor": {
        "dims": (1, "[int64]"), "data_type": (2, "int32"), "float_data": (4, "[float]"), "int64_data": (7, "[int64]"),
        "name": (8, "string"), "raw_data": (9, "bytes"), "double_data": (10, "[double]"),
    },
}  # fmt: skip


def _descriptors() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="rondo/onnx.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            single = kind.strip("[]")
            added = message.field.add(name=field, number=number)
            added.label = _FIELD.LABEL_OPTIONAL if single == kind else _FIELD.LABEL_REPEATED
            if single in _MESSAGES:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{single}"
            else:
                added.type = _FIELD.Type.Value(f"TYPE_{single.upper()}")
    return file


def _model() -> type[Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_descriptors())
    found: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))
    return found


# The class of messages of whole documents. It raises `google.protobuf.message.DecodeError`.
Model = _model()
