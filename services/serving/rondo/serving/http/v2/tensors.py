"""The tensors of the Open Inference Protocol v2 as N values: shape and datatype are held to what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.feature_errors import kind

if TYPE_CHECKING:
    from rondo.serving.http.v2.protocol import Tensor

# The datatype of each type of feature, and those that are taken for it.
DATATYPES = {"category": "BYTES", "float": "FP32", "int": "INT64", "bool": "BOOL"}
_NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))
_TAKEN = {"BYTES": frozenset(("BYTES",)), "BOOL": frozenset(("BOOL",)), "FP32": _NUMBERS, "INT64": _NUMBERS}


def values(tensor: Tensor, count: int, datatype: str, wanted: str) -> list[Any]:
    """Return the values of a tensor of N rows; `wanted` says what they should be, in words.

    Raises:
        RequestRefusedError: it is of another datatype, or of another shape than [N] and [N, 1].

    """
    if tensor.datatype not in _TAKEN[datatype]:
        message = f"{named(tensor.name)} is sent as {tensor.datatype[:20]}: send {wanted}, in a {datatype} tensor"
        raise RequestRefusedError("wrong_type", message)
    found = tensor.data
    if found and all(type(value) is list and len(value) == 1 for value in found):
        found = [value[0] for value in found]
    if tensor.shape not in ([count], [count, 1]) or len(found) != count:
        message = (
            f"{named(tensor.name)} has shape {str(tensor.shape)[:40]} and {len(found)} values:"
            f" send [{count}, 1] with {count} values, as many rows as the other inputs"
        )
        raise RequestRefusedError("bad_shape", message)
    return found


def texts(tensor: Tensor, count: int) -> list[str | None]:
    """Return the N texts of a tensor that is no feature.

    Raises:
        RequestRefusedError: it is no BYTES tensor of N texts or nulls.

    """
    found = values(tensor, count, "BYTES", "texts")
    for row, value in enumerate(found):
        if value is not None and type(value) is not str:
            message = f"{named(tensor.name)} at row {row} is {kind(value)}: send a text, or null"
            raise RequestRefusedError("wrong_type", message)
    return found


def named(name: str) -> str:
    """Name a tensor as its sender knows it: a feature's name has no dot."""
    return f"`{name[:60]}`" if "." in name else f"the feature `{name[:60]}`"
