"""The rows of an inference request: its tensors, one per feature, as the columns that a model takes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from rondo.contracts.text import MAX_ID
from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.v2.columns import columns
from rondo.serving.http.v2.protocol import ENTITY, EVENT_TIME, ID
from rondo.serving.http.v2.tensors import DATATYPES, named, texts
from rondo.serving.requests import event_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.spec.model import Feature
    from rondo.serving.http.v2.protocol import InferenceRequest, Tensor
    from rondo.serving.requests.schema import Column, Layout

MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Rows:
    """N rows to score: who they are, and their features as columns [N]."""

    ids: list[str]
    entities: list[str | None]
    event_times: list[datetime | None]
    columns: dict[str, Column]

    def at(self, places: Sequence[int]) -> Rows:
        """Return the rows at some places."""
        ids = [self.ids[place] for place in places]
        entities = [self.entities[place] for place in places]
        times = [self.event_times[place] for place in places]
        return Rows(ids, entities, times, {name: column[places] for name, column in self.columns.items()})


def rows(request: InferenceRequest, layout: Layout, new_id: str, now: datetime) -> Rows:
    """Turn the tensors into columns. Rows without ids get `new_id`, numbered where there are several.

    Raises:
        RequestRefusedError: a tensor is missing, of another datatype or shape, or holds what the model can't take.

    """
    tensors = {tensor.name: tensor for tensor in request.inputs}
    count = _count(tensors, layout.features)
    features = columns(tensors, layout, count)
    given = _names(tensors.get(ID), "bad_id", count)
    ids = [sent or made for sent, made in zip(given, _numbered(new_id, count), strict=True)]
    return Rows(
        ids, _names(tensors.get(ENTITY), "bad_entity", count), _times(tensors.get(EVENT_TIME), count, now), features
    )


def _numbered(name: str, count: int) -> list[str]:
    if count == 1:
        return [name]
    # An id may be as long as the request's may; one that its number would make longer gets the digest in its place.
    stem = name if len(f"{name}/{count}") <= MAX_ID else sha256(name.encode()).hexdigest()
    return [f"{stem}/{row}" for row in range(count)]


def _names(tensor: Tensor | None, code: str, count: int) -> list[str | None]:
    if tensor is None:
        return [None] * count
    names = texts(tensor, count)
    for row, name in enumerate(names):
        if name is not None and not 1 <= len(name) <= MAX_ID:
            message = f"`{tensor.name}` at row {row} has {len(name):,} characters: send 1 to {MAX_ID}, or null"
            raise RequestRefusedError(code, message)
    return names


def _count(tensors: Mapping[str, Tensor], features: Mapping[str, Feature]) -> int:
    sent = next((tensors[name] for name in features if name in tensors), None)
    if sent is None:
        wanted = ", ".join(f"{name} ({DATATYPES[f.type]})" for name, f in features.items())
        raise RequestRefusedError("missing_feature", f"no feature is sent: send one tensor for each of {wanted}")
    count = sent.shape[0] if sent.shape else 0
    if not 1 <= count <= MAX_ROWS:
        raise RequestRefusedError(
            "bad_shape", f"{named(sent.name)} has {count} rows: send 1 to {MAX_ROWS:,} in one request"
        )
    return count


def _times(tensor: Tensor | None, count: int, now: datetime) -> list[datetime | None]:
    if tensor is None:
        return [None] * count
    try:
        times = [msgspec.convert(value, event_times.Time | None) for value in texts(tensor, count)]
    except msgspec.ValidationError as error:
        message = f"`{EVENT_TIME}` holds what is no RFC 3339 time with an offset ({error}): {event_times.WANTED}"
        raise RequestRefusedError("bad_event_time", message) from None
    if wrong := event_times.untimely(times, now):
        raise event_times.unbelieved(times[wrong[0]], f" at row {wrong[0]}")
    return times
