"""Answer a micro-batch: read, route, score, write. Bytes in, records out, in one picture of what serves.

Pure but for the models themselves: the clock's time comes in, and nothing goes out but what is returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference.scoring import Scored, score, without
from rondo.serving.requests.event_times import unbelieved, untimely
from rondo.serving.requests.request_errors import refusal, unscored
from rondo.serving.requests.suggestions import Hints
from rondo.serving.stream import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from rondo.serving.models.loaded_version import Serving, Version
    from rondo.serving.models.table import Table
    from rondo.serving.requests.parser import Requests
    from rondo.serving.requests.schema import Row


@dataclass(frozen=True, slots=True)
class Answered:
    """The rows that one version answered: their places in the micro-batch, the answers, and their log."""

    serving: Serving
    version: Version
    places: Sequence[int]
    values: list[bytes]
    logged: list[bytes]


@dataclass(slots=True)
class Answering:
    """Answers the requests of one micro-batch; `refused` is complete once `answered` is exhausted.

    `unserved` are sentences: why nothing serves a model that a deployment names.
    """

    table: Table
    values: Sequence[bytes | None]
    requests: Requests
    now: Callable[[], datetime]
    unserved: Mapping[str, str]
    refused: dict[int, RequestRefusedError] = field(default_factory=dict)

    def answered(self) -> Iterator[Answered]:
        """Yield the answers, version by version."""
        self.refused.update({place: self._reason(error) for place, error in self.requests.refused.items()})
        for layout, places, rows in self.requests.groups:
            serving = self.table.models[layout.model]
            for version, mine, members in split(serving, *self._timely(places, rows)):
                scored, unfit, silent = score(version, mine, members)
                self.refused.update({place: self._unfit(place) for place in unfit})
                self.refused.update({place: unscored() for place in silent})
                if scored.rows:
                    yield self._write(serving, scored)

    def _timely(self, places: Sequence[int], rows: Sequence[Row]) -> tuple[Sequence[int], Sequence[Row]]:
        gone = frozenset(untimely([row.event_time for row in rows], self.now()))
        if not gone:
            return places, rows
        self.refused.update({places[index]: unbelieved(rows[index].event_time) for index in gone})
        return without(places, gone), without(rows, gone)

    def _unfit(self, place: int) -> RequestRefusedError:
        return refusal(self.values[place], self.table.reader.layouts, Hints())

    def _write(self, serving: Serving, scored: Scored) -> Answered:
        version, rows, made_at = scored.version, scored.rows, self.now()
        ids = [row.id for row in rows]
        values = encode.encode(version.model, version.model_version, version.digest, ids, scored.scores, made_at)
        entities, times = [row.entity for row in rows], [row.event_time for row in rows]
        batch = version.log.batch(ids, entities, times, scored.columns, scored.scores, made_at)
        return Answered(serving, version, scored.places, values, list(version.log.encode([batch])))

    def _reason(self, error: RequestRefusedError) -> RequestRefusedError:
        if error.code == "unknown_model" and error.model is not None and error.model in self.unserved:
            return RequestRefusedError("unserved_model", self.unserved[error.model], error.model)
        return error


def split(
    serving: Serving, places: Sequence[int], rows: Sequence[Row]
) -> Iterator[tuple[Version, Sequence[int], Sequence[Row]]]:
    """Yield the rows that each version answers. The key is the entity, else the id: the same over Kafka and HTTP."""
    if len(serving.versions) == 1:
        if rows:
            yield serving.versions[0], places, rows
        return
    parts: dict[Version, tuple[list[int], list[Row]]] = {}
    for place, row in zip(places, rows, strict=True):
        mine, members = parts.setdefault(serving.version_for(row.entity or row.id), ([], []))
        mine.append(place)
        members.append(row)
    for version, (mine, members) in parts.items():
        yield version, mine, members
