"""The features of an inference request: a tensor for each, as the columns that a model takes.

What is wrong with one is said as over Kafka, for who sends features need not know that tensors carry them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.v2.tensors import DATATYPES, values
from rondo.serving.requests.feature_errors import missing, value_fault, wanted
from rondo.serving.requests.suggestions import Hints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.serving.http.v2.protocol import Tensor
    from rondo.serving.requests.schema import Column, Layout

_NUMBER = frozenset((int, float))
_KINDS: dict[str, frozenset[type]] = {
    "category": frozenset((str,)), "float": _NUMBER, "int": _NUMBER, "bool": frozenset((bool,)),
}  # fmt: skip


def columns(tensors: Mapping[str, Tensor], layout: Layout, count: int) -> dict[str, Column]:
    """Return each feature as a column of N values.

    Raises:
        RequestRefusedError: a feature is missing, of another datatype or shape, or has a value that is not allowed.

    """
    return {
        name: _column(tensors[name], layout, count) if name in tensors else _absent(name, tensors, layout, count)
        for name in layout.features
    }


def _absent(name: str, tensors: Mapping[str, Tensor], layout: Layout, count: int) -> Column:
    feature = layout.features[name]
    if not feature.optional:
        code, message = missing(name, feature, frozenset(tensors.keys() - layout.features.keys()), Hints())
        raise RequestRefusedError(code, f"{message}, in a {DATATYPES[feature.type]} tensor of shape [{count}, 1]")
    return np.full(count, "", np.object_) if feature.type == "category" else np.full(count, np.nan, np.float32)


def _column(tensor: Tensor, layout: Layout, count: int) -> Column:
    feature = layout.features[tensor.name]
    found = values(tensor, count, DATATYPES[feature.type], wanted(feature))
    allowed = _KINDS[feature.type] | ({type(None)} if feature.optional else frozenset())
    for row, value in enumerate(found):
        if type(value) not in allowed:
            raise _refused(tensor.name, row, value, layout)
    column = _texts(found) if feature.type == "category" else _numbers(found)
    for row in layout.limits[tensor.name].outside(column):
        raise _refused(tensor.name, row, found[row], layout)
    return column


def _refused(name: str, row: int, value: object, layout: Layout) -> RequestRefusedError:
    unexplained = ("invalid", f"the feature `{name}` at row {row} does not fit: send {wanted(layout.features[name])}")
    return RequestRefusedError(*(value_fault(name, value, layout, f" at row {row}") or unexplained))


def _texts(found: Sequence[str | None]) -> NDArray[np.object_]:
    return np.array([value or "" for value in found], dtype=np.object_)


def _numbers(found: Sequence[Any]) -> NDArray[np.float32]:
    """Return numbers as float32; null is NaN."""
    try:
        with np.errstate(over="ignore"):
            return np.array(found, dtype=np.float32)
    except OverflowError:  # an integer past float64
        finite = [math.inf if value is not None and abs(value) > LARGEST_FLOAT32 else value for value in found]
        return np.array(finite, dtype=np.float32)
