"""The raw contents of tensors.

gRPC has separate fields for them, HTTP has them after the JSON (binary tensor extension). Values are in row-major
order, little-endian. A text is preceded by its length in bytes as uint32. A bool is one byte. NaN is a missing value,
like null in JSON.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.names import described_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

MAX_ROWS = 10_000
_MAX_DIMENSIONS = 2
# The codes of `struct`, which numpy also knows.
CODES = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I",
    "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
_SIZES = {datatype: struct.calcsize(f"<{code}") for datatype, code in CODES.items()}
_LENGTH = struct.Struct("<I")


def decode(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> list[Any]:
    """Return the values of a tensor.

    An empty list if `rows` refuses the tensor: for its datatype, its shape, or more than 10,000 rows.

    Raises:
        RequestRefusedError: the number of bytes does not fit the shape, or a text is not UTF-8.

    """
    # The product of all dimensions that a message can have would take minutes.
    count = prod(shape) if len(shape) <= _MAX_DIMENSIONS else -1
    if not 0 <= count <= MAX_ROWS:
        return []
    if datatype == "BYTES":
        return texts(name, _split(name, raw, count))
    if (code := CODES.get(datatype)) is None:
        return []
    wanted = count * _SIZES[datatype]
    if len(raw) != wanted:
        message = f"{described_name(name)} has {len(raw):,} bytes: send {wanted:,}, for {count:,} values of {datatype}"
        raise RequestRefusedError("bad_shape", message)
    # This takes a third of the time of numpy for a tensor with one value, which most tensors are.
    return without_nan(struct.unpack(f"<{count}{code}", raw))


def without_nan(values: Iterable[Any]) -> list[Any]:
    """Return numbers with None in place of NaN."""
    return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN is not itself


def texts(name: str, values: Iterable[bytes]) -> list[Any]:
    """Decode the texts of a tensor.

    Raises:
        RequestRefusedError: a text is not UTF-8.

    """
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        message = f"{described_name(name)} has a text that is no UTF-8: encode texts in UTF-8"
        raise RequestRefusedError("bad_encoding", message) from None


def _split(name: str, raw: bytes, count: int) -> Iterator[bytes]:
    place = 0
    for _ in range(count):
        start = place + _LENGTH.size
        place = start + _LENGTH.unpack_from(raw, place)[0] if start <= len(raw) else len(raw) + 1
        if place > len(raw):
            break
        yield raw[start:place]
    if place != len(raw):
        message = (
            f"the {len(raw):,} bytes of {described_name(name)} are not {count:,} texts: send each with its length in"
            " front, in 4 bytes, little-endian"
        )
        raise RequestRefusedError("bad_shape", message)


def encode(datatype: str, values: NDArray[Any] | Sequence[str | int]) -> bytes:
    """Return values of this datatype as raw contents."""
    if datatype == "BYTES":
        found = [str(value).encode() for value in values]
        return b"".join(part for text in found for part in (_LENGTH.pack(len(text)), text))
    return np.ascontiguousarray(values, f"<{CODES[datatype]}").tobytes()
