"""The prediction stream as a transform of the exactly-once stream: messages in, answers, log and dead letters out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from rondo.chassis.events.dead_letters import MAX_KEY_BYTES, dead_letter
from rondo.chassis.stream.records import Record, Records
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.inference.log_batch import ARROW_STREAM
from rondo.serving.requests.request_errors import bad_key
from rondo.serving.stream.answer_batch import Answered, Answering
from rondo.serving.stream.telemetry import BatchTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from confluent_kafka import Message

    from rondo.serving.deployments.pending import Arrivals
    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.table import Table, Versions
    from rondo.serving.requests.parser import Requests
    from rondo.serving.stream.partitions import Partitions

    Refused = list[tuple[Message, RequestRefusedError]]

# Below the transaction timeout: a micro-batch may wait this long for a deployment that is on its way.
_PATIENCE_SECONDS = 10.0


@dataclass
class PredictionStream:
    """`group` is the consumer group that dead letters name."""

    versions: Versions
    arrivals: Arrivals
    partitions: Partitions
    group: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    patience: float = _PATIENCE_SECONDS

    def __post_init__(self) -> None:
        self._telemetry = BatchTelemetry()

    def __call__(self, messages: Sequence[Message]) -> Iterator[Record | Records]:
        """Return the answers of a micro-batch, its log, and what can't be answered."""
        self._telemetry.begin(messages)
        fit, refused = sort_out(messages)
        values = [message.value() for message in fit]
        with self.versions.lease() as table:
            requests = table.reader.read(values)
            if not (asked := self.arrivals.worth_waiting_for(_unknown_models(requests))):
                yield from self._answer(fit, values, table, requests, refused)
                return
        self.arrivals.wait_once(asked, self.patience)
        with self.versions.lease() as table:
            yield from self._answer(fit, values, table, table.reader.read(values), refused)

    def committed(self) -> None:
        """Count, and end the span: what was answered is visible now."""
        self._telemetry.committed(time.time())

    def _answer(
        self,
        messages: Sequence[Message],
        values: list[bytes | None],
        table: Table,
        requests: Requests,
        refused: Refused,
    ) -> Iterator[Record | Records]:
        keys = [message.key() for message in messages]
        places = self.partitions.of(PredictionMade.topic, messages)
        answering = Answering(table, values, requests, self.now, self.versions.unserved)
        for answered in answering.answered():
            yield from _records(answered, keys, places)
            self._telemetry.answered(answered)
        refused = refused + [(messages[index], error) for index, error in answering.refused.items()]
        for message, error in refused:
            letter = dead_letter(message, PREDICTIONS_FAILED, self.group, error, reason=error.code)
            yield replace(letter, partition=self.partitions.of(PREDICTIONS_FAILED, [message])[0])
        self._telemetry.refused([error for _, error in refused])


def sort_out(messages: Sequence[Message]) -> tuple[Sequence[Message], Refused]:
    """Return the messages whose values are looked at, and those that are refused for their key alone."""
    fit = [len(key) <= MAX_KEY_BYTES if (key := message.key()) else True for message in messages]
    if all(fit):
        return messages, []
    refused = list(compress(messages, map(not_, fit)))
    return list(compress(messages, fit)), [(each, bad_key(len(each.key() or b""), MAX_KEY_BYTES)) for each in refused]


def _unknown_models(requests: Requests) -> set[str]:
    return {e.model for e in requests.refused.values() if e.code == "unknown_model" and e.model is not None}


def _records(answered: Answered, keys: list[bytes | None], partitions: Sequence[int]) -> Iterator[Record | Records]:
    places, version = answered.places, answered.version
    if len(places) < len(keys):
        keys, partitions = [keys[place] for place in places], [partitions[place] for place in places]
    yield Records(PredictionMade.topic, answered.values, keys, partitions)
    for value in answered.logged:
        yield Record(PREDICTIONS_LOG, value, version.model.encode(), {"content-type": ARROW_STREAM})
