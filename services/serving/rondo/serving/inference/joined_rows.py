"""The rows of several requests to one model as the columns that it takes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.serving.requests.rows import Rows, SentRows
    from rondo.serving.requests.schema import RequestSchema

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


def join(parts: Sequence[SentRows], schema: RequestSchema) -> Rows:
    """Return the rows of at least one request as columns, in order."""
    starts = [0, *accumulate(map(len, parts))][:-1]
    return schema.columns(
        _chained([part.ids for part in parts]),
        _chained([part.entities for part in parts]),
        _chained([part.event_times for part in parts]),
        {name: _chained([part.values[name] for part in parts]) for name in schema.features},
        parts[0].source if len(parts) == 1 else _Sources(parts, starts),
    )


def _chained(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))
