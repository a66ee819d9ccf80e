"""Converts tensors of the Open Inference Protocol v2 to N values, with checks of shape and datatype."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rondo.contracts.figures import counted
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.names import described_name
from rondo.serving.requests.feature_errors import described

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.serving.open_inference.protocol import Tensor

# The datatype of each type of feature, and the other datatypes that are accepted for it.
DATATYPES = {"category": "BYTES", "float": "FP32", "int": "INT64", "bool": "BOOL"}
_NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))
ACCEPTED = {"BYTES": frozenset(("BYTES",)), "BOOL": frozenset(("BOOL",)), "FP32": _NUMBERS, "INT64": _NUMBERS}


def values(
    tensor: Tensor, count: int, datatype: str, expected: Callable[[], str], features: Sequence[Tensor]
) -> list[Any]:
    """Return the values of a tensor of N rows. `expected` describes them for a message.

    `features` are the sent tensors of features, from which a message takes the number of rows.

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
        raise shape_error([*features, tensor], row_count(features))
    return found


def row_count(features: Sequence[Tensor]) -> int:
    """Return the number of rows that most of these tensors have, the first of several numbers.

    A tensor whose shape does not fit its values has no number of rows. If all are like that, the numbers of their
    values are compared.
    """
    counts = [len(each.data) for each in features if _fits(each)] or [_size(each) for each in features]
    return Counter(counts).most_common(1)[0][0]


def shape_error(sent: Sequence[Tensor], count: int) -> RequestRefusedError:
    """Return the error of the first of these tensors that does not have `count` rows. 0 if no tensor has values."""
    wrong = next(each for each in sent if not (_fits(each) and len(each.data) == count))
    # Raw contents of some shapes are not decoded, so no number of values is known.
    size = f" and {counted(_size(wrong), 'value')}" if wrong.data else ""
    found = f"{described_name(wrong.name)} has shape {str(wrong.shape)[:40]}{size}"
    if not count:
        return RequestRefusedError("bad_shape", f"{found}: send shape [N, 1] with N values, the same N in each input")
    like = next((each for each in sent if _fits(each) and len(each.data) == count), None)
    why = f", as many rows as {described_name(like.name)} has" if like else ""
    return RequestRefusedError("bad_shape", f"{found}: send shape [{count}, 1] with {counted(count, 'value')}{why}")


def _fits(tensor: Tensor) -> bool:
    return tensor.shape in ([len(tensor.data)], [len(tensor.data), 1])


def _size(tensor: Tensor) -> int:
    """Return the number of values. Each row of a nested tensor is a list."""
    return sum(len(value) if type(value) is list else 1 for value in tensor.data)


def texts(tensor: Tensor, count: int, features: Sequence[Tensor]) -> list[str | None]:
    """Return the N texts of a tensor that is not a feature.

    Raises:
        RequestRefusedError: the tensor is not a BYTES tensor of N texts or nulls.

    """
    found = values(tensor, count, "BYTES", lambda: "texts", features)
    for row, value in enumerate(found):
        if value is not None and type(value) is not str:
            message = f"{described_name(tensor.name)} at row {row} is {described(value)}: send a text, or null"
            raise RequestRefusedError("wrong_type", message, row=row)
    return found
