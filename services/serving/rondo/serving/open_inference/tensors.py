"""Converts tensors of the Open Inference Protocol v2 to N values, with checks of shape and datatype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.names import described_name
from rondo.serving.requests.feature_errors import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.open_inference.protocol import Tensor

# The datatype of each type of feature, and the other datatypes that are accepted for it.
DATATYPES = {"category": "BYTES", "float": "FP32", "int": "INT64", "bool": "BOOL"}
_NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))
ACCEPTED = {"BYTES": frozenset(("BYTES",)), "BOOL": frozenset(("BOOL",)), "FP32": _NUMBERS, "INT64": _NUMBERS}


def values(tensor: Tensor, count: int, datatype: str, expected: Callable[[], str]) -> list[Any]:
    """Return the values of a tensor of N rows. `expected` describes them for a message.

    Raises:
        RequestRefusedError: the datatype is another one, or the shape is neither [N] nor [N, 1].

    """
    if tensor.datatype not in ACCEPTED[datatype]:
        message = f"{described_name(tensor.name)} is sent as {tensor.datatype[:20]}: send {expected()}, in a {datatype}"
        raise RequestRefusedError("wrong_type", f"{message} tensor")
    found = tensor.data
    if found and all(type(value) is list and len(value) == 1 for value in found):
        found = [value[0] for value in found]
    if tensor.shape not in ([count], [count, 1]) or len(found) != count:
        message = (
            f"{described_name(tensor.name)} has shape {str(tensor.shape)[:40]} and {len(found)} values:"
            f" send [{count}, 1] with {count} values, as many rows as the other inputs"
        )
        raise RequestRefusedError("bad_shape", message)
    return found


def texts(tensor: Tensor, count: int) -> list[str | None]:
    """Return the N texts of a tensor that is not a feature.

    Raises:
        RequestRefusedError: the tensor is not a BYTES tensor of N texts or nulls.

    """
    found = values(tensor, count, "BYTES", lambda: "texts")
    for row, value in enumerate(found):
        if value is not None and type(value) is not str:
            message = f"{described_name(tensor.name)} at row {row} is {described(value)}: send a text, or null"
            raise RequestRefusedError("wrong_type", message, row=row)
    return found
