"""Counts the messages of an ONNX document before it is parsed: an empty node has 2 bytes, and uses 160 in memory.

This reads the wire format of protobuf (https://protobuf.dev/programming-guides/encoding): each field is a tag, which
has a number and a type, and a value. Consecutive numeric fields are skipped at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import onnx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT, _CONTINUED, _TYPE = 10, 0x80, 7


def _tags(wire_type: int, more: int = 0) -> bytes:
    """Return a character class of the first bytes of a type's tags. `more` is `_CONTINUED` if a second byte follows."""
    return b"[" + b"".join(b"\\x%02x" % (each << 3 | wire_type | more) for each in range(16)) + b"]"


_VARINTS = b"(?:%b|%b[\x80-\xff]{0,3}+[\x00-\x7f])[\x80-\xff]{0,9}+[\x00-\x7f]" % (
    _tags(_VARINT),
    _tags(_VARINT, _CONTINUED),
)
_NUMBERS = re.compile(b"(?:%b|%b.{8}|%b.{4})++" % (_VARINTS, _tags(_FIXED64), _tags(_FIXED32)), re.DOTALL)


class DamagedDocumentError(ValueError):
    """The bytes are no protobuf message, or have groups, which ONNX does not use."""


class TooManyMessagesError(ValueError):
    """A document has more messages, or more fields, than `limit`."""

    def __init__(self, kind: str, limit: int) -> None:
        self.kind, self.limit = kind, limit
        super().__init__(f"it has more than {limit:,} {kind}")


_Messages: TypeAlias = "Mapping[int, _Messages]"


def _messages(descriptor: Descriptor, known: dict[str, dict[int, _Messages]]) -> _Messages:
    """Return the fields of a message type that are messages, by number, with their fields."""
    if descriptor.full_name not in known:
        found: dict[int, _Messages] = {}
        known[descriptor.full_name] = found
        for field in descriptor.fields:
            if field.message_type is not None:
                found[field.number] = _messages(field.message_type, known)
    return known[descriptor.full_name]


_MODEL = _messages(onnx.ModelProto.DESCRIPTOR, {})


def require_bounded(content: bytes, max_messages: int, max_fields: int) -> None:
    """Check the size of a model, in time and memory that `max_fields` bounds.

    Consecutive numeric fields count as one field.

    Raises:
        TooManyMessagesError: it has more messages at all depths, or more fields.
        DamagedDocumentError: it can't be parsed.

    """
    messages = fields = at = 0
    end, inside = len(content), _MODEL
    above: list[tuple[int, _Messages]] = []  # the ends and fields of the enclosing messages
    while True:
        while at == end:
            if not above:
                return
            end, inside = above.pop()
        fields += 1
        if fields > max_fields:
            raise TooManyMessagesError("fields", max_fields)
        if content[at] & _TYPE != _BYTES and (run := _NUMBERS.match(content, at, end)):
            at = run.end()
            continue
        number, at, after = _field(content, at, end)
        below = inside.get(number)
        if below is None:
            at = after
            continue
        messages += 1
        if messages > max_messages:
            raise TooManyMessagesError("nodes, tensors and other messages", max_messages)
        above.append((end, inside))
        end, inside = after, below


def _field(content: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return the number of a length-delimited field, and the start and the end of its bytes."""
    # Nearly all fields have a tag of one byte, and texts a size of one byte.
    tag, size = content[at : at + 2] if at + 2 <= end else (_CONTINUED, _CONTINUED)
    at += 2
    if (tag | size) & _CONTINUED or tag & _TYPE != _BYTES:
        tag, at = _varint(content, at - 2)
        if tag & _TYPE != _BYTES:
            raise DamagedDocumentError("a number is cut off, or a field has a type that ONNX has not")
        size, at = _varint(content, at)
    if at + size > end:
        raise DamagedDocumentError("a field ends after its message")
    return tag >> 3, at, at + size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned number, and the position after it."""
    value = 0
    for index, byte in enumerate(content[at : at + _LONGEST_VARINT]):
        value |= (byte & ~_CONTINUED) << (7 * index)
        if byte < _CONTINUED:
            return value, at + index + 1
    raise DamagedDocumentError("a number does not end")
