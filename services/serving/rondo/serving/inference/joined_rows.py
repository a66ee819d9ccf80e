"""The rows of several requests to one model as the columns that it takes."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.serving.requests.rows import Rows
from rondo.serving.requests.schema import text_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column, SentRows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Sources:
    """The sources of rows that follow each other; `starts` are the first rows of each."""

    parts: Sequence[SentRows]
    starts: Sequence[int]

    def features(self, row: int) -> Mapping[str, Any]:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.features(row - self.starts[part])

    def where(self, row: int) -> str:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.where(row - self.starts[part])


def join(parts: Sequence[SentRows], features: Mapping[str, Feature]) -> Rows:
    """Return the rows of at least one request as columns, in order."""
    starts = [0, *accumulate(map(len, parts))][:-1]
    with np.errstate(over="ignore"):  # a number past float32 becomes infinite, and `Limits` refuses it
        columns = {
            name: _column(_chained([part.values[name] for part in parts]), feature)
            for name, feature in features.items()
        }
    return Rows(
        _chained([part.ids for part in parts]),
        _chained([part.entities for part in parts]),
        _chained([part.event_times for part in parts]),
        columns,
        parts[0].source if len(parts) == 1 else _Sources(parts, starts),
    )


def _chained(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))


def _column(found: Sequence[Any], feature: Feature) -> Column:
    return text_column(found) if feature.type == "category" else _numbers(found)


def _numbers(found: Sequence[Any]) -> NDArray[np.float32]:
    """Return numbers as float32; null is NaN."""
    try:
        return np.array(found, dtype=np.float32)
    except OverflowError:  # an integer past float64
        finite = [math.inf if value is not None and abs(value) > LARGEST_FLOAT32 else value for value in found]
        return np.array(finite, dtype=np.float32)
