"""The tensors of the Open Inference Protocol v2 as columns: shape and datatype are held to what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.errors import RequestRefusedError
from rondo.serving.feature_faults import kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.serving.inference_protocol import Tensor

# The datatype of each type of feature.
DATATYPES = {"category": "BYTES", "float": "FP32", "int": "INT64", "bool": "BOOL"}
_NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))


def texts(tensor: Tensor, count: int) -> list[str | None]:
    """Return a BYTES tensor as N texts.

    Raises:
        RequestRefusedError: it is no such tensor.

    """
    values = _values(tensor, count, frozenset(("BYTES",)), "BYTES")
    if wrong := next((value for value in values if value is not None and type(value) is not str), None):
        raise _wrong_value(tensor, wrong, "texts")
    return values


def numbers(tensor: Tensor, count: int, *, boolean: bool) -> NDArray[np.float32]:
    """Return a numeric or BOOL tensor as N float32; null is NaN.

    Raises:
        RequestRefusedError: it is no such tensor.

    """
    allowed = (bool, type(None)) if boolean else (int, float, type(None))
    values = _values(tensor, count, frozenset(("BOOL",)) if boolean else _NUMBERS, "BOOL" if boolean else "FP32")
    for value in values:
        if type(value) not in allowed:
            raise _wrong_value(tensor, value, "true or false" if boolean else "numbers")
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float32)
    except OverflowError:  # an integer past float64
        message = f"`{tensor.name}` holds a number past all bounds: send one that fits FP32, or null"
        raise RequestRefusedError("not_finite", message) from None


def _values(tensor: Tensor, count: int, datatypes: frozenset[str], wanted: str) -> list[Any]:
    if tensor.datatype not in datatypes:
        message = f"`{tensor.name}` is {tensor.datatype[:20]}: send it as {wanted}"
        raise RequestRefusedError("wrong_type", message)
    values = tensor.data
    if values and all(type(value) is list and len(value) == 1 for value in values):
        values = [value[0] for value in values]
    if tensor.shape not in ([count], [count, 1]) or len(values) != count:
        message = (
            f"`{tensor.name}` has shape {str(tensor.shape)[:40]} and {len(values)} values:"
            f" send [{count}, 1] with {count} values, as many rows as the other inputs"
        )
        raise RequestRefusedError("bad_shape", message)
    return values


def _wrong_value(tensor: Tensor, value: object, wanted: str) -> RequestRefusedError:
    return RequestRefusedError("wrong_type", f"`{tensor.name}` holds {kind(value)}: send {wanted}, or null")
