"""Adds metadata to an ONNX file without an ONNX library.

The concatenated bytes of two protobuf messages are a message with the fields of both (Protocol Buffers, "Encoding", on
merging). Repeated fields, such as the metadata of a model, are joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Numbers of fields in onnx.proto.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_LENGTH_DELIMITED = 2
_SEVEN_BITS = 0x7F


def with_metadata(content: bytes, values: Mapping[str, str]) -> bytes:
    """Return the file with these values, which replace values with the same keys."""
    entries = (_field(_KEY, key.encode()) + _field(_VALUE, value.encode()) for key, value in values.items())
    return content + b"".join(_field(_METADATA_PROPS, entry) for entry in entries)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > _SEVEN_BITS:
        digits.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
