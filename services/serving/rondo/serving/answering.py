"""Answer a micro-batch: read, route, score, write. Bytes in, records out, in one picture of what serves.

Pure but for the models themselves: the clock's time comes in, and nothing goes out but what is returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving import answers
from rondo.serving.refusals import refusal, unscored, unserved_model
from rondo.serving.scoring import Scored, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.layout import Row
    from rondo.serving.versions import Serving, Table, Version


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
    """Answers the requests of one micro-batch; `refused` is complete once `answered` is exhausted."""

    table: Table
    values: Sequence[bytes | None]
    now: Callable[[], datetime]
    unserved: Mapping[str, str]
    refused: dict[int, RequestRefusedError] = field(default_factory=dict)

    def answered(self) -> Iterator[Answered]:
        """Yield the answers, version by version."""
        requests = self.table.reader.read(self.values)
        self.refused.update({place: self._reason(error) for place, error in requests.refused.items()})
        for layout, places, rows in requests.groups:
            serving = self.table.models[layout.model]
            for version, mine, members in split(serving, places, rows):
                scored, unfit, silent = score(version, mine, members)
                self.refused.update({place: refusal(self.values[place], self.table.reader.layouts) for place in unfit})
                self.refused.update({place: unscored() for place in silent})
                if scored.rows:
                    yield self._write(serving, scored)

    def _write(self, serving: Serving, scored: Scored) -> Answered:
        version, rows, made_at = scored.version, scored.rows, self.now()
        ids = [row.id for row in rows]
        values = answers.encode(version.model, version.model_version, version.digest, ids, scored.scores, made_at)
        entities, times = [row.entity for row in rows], [row.event_time for row in rows]
        batch = version.log.batch(ids, entities, times, scored.columns, scored.scores, made_at)
        return Answered(serving, version, scored.places, values, list(version.log.encode([batch])))

    def _reason(self, error: RequestRefusedError) -> RequestRefusedError:
        if error.code == "unknown_model" and error.model is not None and error.model in self.unserved:
            return unserved_model(error.model, self.unserved[error.model])
        return error


def split(
    serving: Serving, places: Sequence[int], rows: Sequence[Row]
) -> Iterator[tuple[Version, Sequence[int], Sequence[Row]]]:
    """Yield the rows that each version answers. The key is the entity, else the id: the same over Kafka and HTTP."""
    if len(serving.versions) == 1:
        yield serving.versions[0], places, rows
        return
    parts: dict[Version, tuple[list[int], list[Row]]] = {}
    for place, row in zip(places, rows, strict=True):
        mine, members = parts.setdefault(serving.version_for(row.entity or row.id), ([], []))
        mine.append(place)
        members.append(row)
    for version, (mine, members) in parts.items():
        yield version, mine, members
