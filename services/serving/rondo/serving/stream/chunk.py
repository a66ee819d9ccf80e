"""Requests that are answered together: a micro-batch of the stream, or some requests of a queue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import compress
from operator import methodcaller, not_
from typing import TYPE_CHECKING, NamedTuple

from rondo.chassis.dead_letters import MAX_KEY_BYTES
from rondo.chassis.kafka_records import Records
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.requests.request_errors import key_too_long
from rondo.serving.requests.unknown_names import with_warnings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.models.serving_table import ServingTable
    from rondo.serving.requests.rows import Rows
    from rondo.serving.requests.unknown_names import UnknownName
    from rondo.serving.stream.telemetry import BatchReport

    Refused = list[tuple[Message, RequestRefusedError]]

_KEY, _VALUE = methodcaller("key"), methodcaller("value")


class Columns(NamedTuple):
    """Messages with their values and keys, as sequences of the same length."""

    messages: Sequence[Message]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]


def split_by_key_size(messages: Sequence[Message]) -> tuple[Columns, Refused]:
    """Return the messages whose key fits into an answer, and the others with their error."""
    keys = list(map(_KEY, messages))
    refused: Refused = []
    if max(map(len, filter(None, keys)), default=0) > MAX_KEY_BYTES:
        too_long = [len(key or b"") > MAX_KEY_BYTES for key in keys]
        refused = [
            (message, key_too_long(len(message.key() or b""), MAX_KEY_BYTES))
            for message in compress(messages, too_long)
        ]
        messages = list(compress(messages, map(not_, too_long)))
        keys = list(map(_KEY, messages))
    return Columns(messages, list(map(_VALUE, messages)), keys), refused


@dataclass(frozen=True, slots=True)
class ModelRequests:
    """The requests to one model that are to be scored, with their places in the chunk.

    If an id is answered `once`, `answers` has the answers of repeated requests by place. `shared` has the places of
    each id with several requests, in order, each with the place of the scored request of the same content.
    """

    served: ServedModel
    places: Sequence[int]
    rows: Rows
    answers: Mapping[int, bytes] = field(default_factory=dict)
    shared: Sequence[Sequence[tuple[int, int]]] = ()
    once: bool = False

    def without(self, left: Collection[int]) -> ModelRequests:
        """Return these requests without the repetitions at these places. Rows there have no inference and no answer."""
        answers = {place: answer for place, answer in self.answers.items() if place not in left}
        shared = [[(place, same) for place, same in each if place not in left] for each in self.shared]
        return replace(self, answers=answers, shared=shared)

    def first_answered(self, scored: Collection[int], errors: dict[int, RequestRefusedError]) -> dict[int, int]:
        """Return the place of the request whose answer a repeated request gets, by the place of the repeated request.

        The contents of the two may differ. Requests with the same id are checked in order until one can be answered. A
        request with the same content as an earlier refused one gets the same error, which is added to `errors`.
        """
        found: dict[int, int] = {}
        for requests in self.shared:
            answered: int | None = None
            for place, same in requests:
                if answered is not None:
                    found[place] = answered
                    errors.pop(place, None)
                elif same in scored:
                    answered = place
                elif same in errors:
                    errors[place] = errors[same]
        return found


@dataclass(frozen=True, slots=True)
class ChunkState:
    """State that the models of a chunk share, by place in it. `partitions` are those of the answers."""

    keys: Sequence[bytes | None]
    partitions: Sequence[int]
    windows: Mapping[str, float]
    errors: dict[int, RequestRefusedError]
    unknown: Mapping[int, Sequence[UnknownName]]
    report: BatchReport

    def leave(self, places: Collection[int]) -> None:
        """Remove the requests at these places, which are not answered here."""
        for place in places:
            self.errors.pop(place, None)
        self.report.leave(places)

    def with_warnings(self, model: str, places: Sequence[int], answers: Sequence[bytes]) -> list[bytes]:
        """Return the answers to the requests at these places, with warnings for requests with unknown names."""
        warned = list(answers)
        for index, place in enumerate(places):
            if names := self.unknown.get(place):
                warned[index] = with_warnings(answers[index], names)
                self.report.warned(model, names)
        return warned

    def records(self, places: Sequence[int], answers: Sequence[bytes]) -> Records:
        """Return the answers to the requests at these places."""
        keys, partitions = self.keys, self.partitions
        if len(places) < len(keys):
            keys, partitions = [keys[place] for place in places], [partitions[place] for place in places]
        return Records(PredictionMade.topic, answers, keys, partitions)


@dataclass(slots=True)
class Chunk:
    """Requests that are being answered, by model. `table` is the one by which they are parsed and scored."""

    batch: Columns
    table: ServingTable
    state: ChunkState
    groups: list[ModelRequests]
