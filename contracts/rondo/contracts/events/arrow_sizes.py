"""The memory that an Arrow IPC stream takes once it is read, computed without decompressing it.

A body of a few kilobytes can claim gigabytes: its buffers state their decompressed length, and a dictionary or a view
repeats one text in any number of rows. The layout is that of `Message.fbs` and `Schema.fbs` of Apache Arrow.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

# Places of fields in the tables Message, DictionaryBatch and RecordBatch.
_HEADER, _DATA, _BUFFERS, _COMPRESSION = 2, 1, 2, 3
_PREFIX = 8
_VIEW = 16


def decompressed_bytes(value: bytes) -> int:
    """Return the bytes of all buffers that a reader of the stream allocates.

    Raises:
        pa.ArrowException, OSError, ValueError: the bytes are not an Arrow IPC stream.

    """
    found = 0
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(value)):
        if message.type in {"record batch", "dictionary"}:
            try:
                is_dictionary = message.type == "dictionary"
                found += sum(_buffers(message.metadata.to_pybytes(), message.body, is_dictionary=is_dictionary))
            except struct.error as error:
                raise ValueError(f"a message of it is damaged ({error})") from None
    return found


def _buffers(metadata: bytes, body: pa.Buffer, *, is_dictionary: bool) -> Iterator[int]:
    """Yield the decompressed length of each buffer of a record batch, or of the record batch of a dictionary."""
    batch = _table(metadata, _number(metadata, "<I", 0), _HEADER)
    batch = _table(metadata, batch, _DATA) if is_dictionary else batch
    is_compressed = bool(_field(metadata, batch, _COMPRESSION))
    buffers = _table(metadata, batch, _BUFFERS)
    for place in range(_number(metadata, "<I", buffers) if buffers else 0):
        start, length = (_number(metadata, "<q", buffers + 4 + 16 * place + 8 * each) for each in range(2))
        if not 0 <= start <= start + length <= body.size:
            raise ValueError("a buffer of it lies outside of its message")
        if not is_compressed or not length:
            yield length
            continue
        if length < _PREFIX:
            raise ValueError("a compressed buffer of it has no length")
        size = _number(bytes(body[start : start + _PREFIX]), "<q", 0)
        # The length -1 marks a buffer that is not compressed, because compression would not make it smaller.
        if size < -1:
            raise ValueError("a compressed buffer of it has a negative length")
        yield length - _PREFIX if size < 0 else size


def _field(metadata: bytes, table: int, place: int) -> int:
    """Return the position of a field of a flatbuffers table. 0 if the table lacks the field."""
    fields = table - _number(metadata, "<i", table)
    if 4 + 2 * place >= _number(metadata, "<H", fields):
        return 0
    offset = _number(metadata, "<H", fields + 4 + 2 * place)
    return table + offset if offset else 0


def _table(metadata: bytes, table: int, place: int) -> int:
    """Return the position of the table or vector that a field refers to. 0 if there is none."""
    field = _field(metadata, table, place)
    return field + _number(metadata, "<I", field) if field else 0


def _number(content: bytes, kind: str, place: int) -> int:
    if place < 0:  # Python would count a negative position from the end
        raise struct.error("an offset is negative")
    found: int = struct.unpack_from(kind, content, place)[0]
    return found


def view_bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes that the views of a batch refer to, counted once for each reference.

    The views may be invalid, because their validation would read all of the bytes.

    Raises:
        pa.ArrowInvalid: a buffer is too short, or a view is inside a nested column.

    """
    found = 0
    for field, column in zip(batch.schema, batch.columns, strict=True):
        column.validate()
        array = column.dictionary if pa.types.is_dictionary(column.type) else column
        if _is_view(array.type):
            found += _viewed(array)
        elif _has_view(array.type):
            raise pa.ArrowInvalid(f"a column is {field.type}: send plain texts instead of views")
    return found


def _viewed(array: pa.Array) -> int:
    views = array.buffers()[1]
    if views is None or not len(array):
        return 0
    sizes = np.frombuffer(views, np.int32)[_VIEW // 4 * array.offset :: _VIEW // 4][: len(array)]
    return int(np.maximum(sizes, 0).sum(dtype=np.int64))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _has_view(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _has_view(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _has_view(kind.value_type)
    return _is_view(kind) or any(_has_view(kind.field(place).type) for place in range(kind.num_fields))


def dictionary_text_bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes of the texts of all rows in dictionary columns. The batch must be valid."""
    found = 0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
            lengths = pc.binary_length(pc.cast(column.dictionary, pa.large_string()))
            found += pc.sum(lengths.take(column.indices)).as_py() or 0
    return found


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
