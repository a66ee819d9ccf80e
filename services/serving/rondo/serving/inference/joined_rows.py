"""The rows of several requests to one model as one."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.requests.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class _Sources:
    """The sources of rows that follow each other; `starts` are the first rows of each."""

    parts: Sequence[Rows]
    starts: Sequence[int]

    def features(self, row: int) -> Mapping[str, Any]:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.features(row - self.starts[part])

    def where(self, row: int) -> str:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.where(row - self.starts[part])


def join(parts: Sequence[Rows]) -> Rows:
    """Return the rows of at least one part, in order. All parts have the same features."""
    if len(parts) == 1:
        return parts[0]
    starts = [0, *accumulate(len(part) for part in parts)][:-1]
    return Rows(
        list(chain.from_iterable(part.ids for part in parts)),
        list(chain.from_iterable(part.entities for part in parts)),
        list(chain.from_iterable(part.event_times for part in parts)),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
        _Sources(parts, starts),
    )
