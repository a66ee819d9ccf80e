"""Tell whether an ONNX model keeps weights outside of its own bytes: such a model names files, and is refused.

Reads the protobuf wire format (protobuf.dev/programming-guides/encoding) along the few fields of onnx.proto that
can lead to a TensorProto, so that serving needs no onnx package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Message -> field number -> the message in that field (onnx/onnx.proto).
_LEADS_TO = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 60
_MAX_SHIFT, _MORE = 63, 0x80


def has_external_data(model: bytes) -> bool:
    """Return whether any tensor of the model lies outside of it.

    Raises:
        ValueError: the bytes are no protobuf message.

    """
    return _external(memoryview(model), "model", 0)


def _external(content: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        message = "the graph is nested too deeply"
        raise ValueError(message)
    leads_to = _LEADS_TO[kind]
    for number, value in _fields(content):
        if kind == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == _EXTERNAL):
                return True
        elif number in leads_to and isinstance(value, memoryview) and _external(value, leads_to[number], depth + 1):
            return True
    return False


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview | None]]:
    place, size = 0, len(content)
    while place < size:
        tag, place = _varint(content, place)
        number, wire = tag >> 3, tag & 7
        value: int | memoryview | None = None
        if wire == _VARINT:
            value, place = _varint(content, place)
        elif wire == _BYTES:
            length, place = _varint(content, place)
            value, place = content[place : place + length], place + length
        elif wire in (_FIXED32, _FIXED64):
            place += 4 if wire == _FIXED32 else 8
        else:
            message = f"not an ONNX model: wire type {wire} at byte {place}"
            raise ValueError(message)
        if place > size:
            message = "not a whole ONNX model: it ends in the middle of a field"
            raise ValueError(message)
        yield number, value


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(content) or shift > _MAX_SHIFT:
            message = "not a whole ONNX model: it ends in the middle of a number"
            raise ValueError(message)
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, place
        shift += 7
