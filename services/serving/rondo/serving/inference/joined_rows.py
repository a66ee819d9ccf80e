"""Joins the rows of several requests to one model to columns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rondo.serving.requests.rows import Rows, SentRows
    from rondo.serving.requests.schema import RequestSchema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Sources:
    """The sources of concatenated rows. `starts` has the first row of each source."""

    parts: Sequence[SentRows]
    starts: Sequence[int]

    def features(self, row: int) -> Mapping[str, Any]:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.features(row - self.starts[part])

    def where(self, row: int) -> str:
        part = bisect_right(self.starts, row) - 1
        return self.parts[part].source.where(row - self.starts[part])


def join(parts: Sequence[SentRows], schema: RequestSchema) -> Rows:
    """Return the rows of at least one request as columns, in their order."""
    if len(parts) == 1:
        part = parts[0]
        return schema.columns(part.ids, part.entities, part.event_times, part.values, part.source)
    # The values of all parts are in the order of the features.
    columns = zip(*(part.values.values() for part in parts), strict=True)
    return schema.columns(
        _chained(part.ids for part in parts),
        _chained(part.entities for part in parts),
        _chained(part.event_times for part in parts),
        dict(zip(schema.features, map(_chained, columns), strict=True)),
        _Sources(parts, [0, *accumulate(map(len, parts))][:-1]),
    )


def _chained(parts: Iterable[Sequence[T]]) -> list[T]:
    return list(chain.from_iterable(parts))
