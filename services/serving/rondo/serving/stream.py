"""The prediction stream as a transform of the exactly-once stream: messages in, answers, log and dead letters out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.chassis.failures import Origin, dead_letter_headers
from rondo.chassis.records import Record, Records, place
from rondo.contracts.logs import PREDICTIONS_LOG
from rondo.contracts.predictions import MAX_REQUEST_BYTES, PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.answering import Answered, Answering
from rondo.serving.log import ARROW_STREAM
from rondo.serving.telemetry import BatchTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.versions import Versions


class PredictionStream:
    """`settle` waits, for some seconds at most, until no deployment is on its way to be served."""

    def __init__(self, versions: Versions, group: str, settle: Callable[[], None]) -> None:
        self._versions = versions
        self._group = group
        self._settle = settle
        self._telemetry = BatchTelemetry()

    def __call__(self, messages: Sequence[Any]) -> Iterator[Record | Records]:
        """Return the answers of a micro-batch, its log, and what can't be answered."""
        values = [message.value() for message in messages]
        if self._names_an_unknown_model(values):
            self._settle()
        with self._versions.lease() as table:
            self._telemetry.begin(messages)
            keys = [message.key() for message in messages]
            partitions = [message.partition() for message in messages]
            answering = Answering(table, values, _now, self._versions.unserved)
            for answered in answering.answered():
                yield from _records(answered, keys, partitions)
                self._telemetry.answered(answered)
            for index, error in answering.refused.items():
                yield self._dead_letter(messages[index], error)
            self._telemetry.refused(answering.refused.values())

    def committed(self) -> None:
        """Count, and end the span: what was answered is visible now."""
        self._telemetry.committed(time.time())

    def _names_an_unknown_model(self, values: list[bytes | None]) -> bool:
        """Tell whether a request names a model that nothing serves: its deployment may be on its way."""
        with self._versions.lease() as table:
            refused = table.reader.read(values).refused if self._versions.expecting else {}
        return any(error.code == "unknown_model" for error in refused.values())

    def _dead_letter(self, message: Any, error: RequestRefusedError) -> Record:
        value: bytes | None = message.value()
        now = datetime.now(UTC)
        headers: dict[str, str | bytes] = {name: text or b"" for name, text in message.headers() or ()}
        headers |= dead_letter_headers(Origin(*place(message), self._group), error, 1, now)
        headers["reason"] = error.code
        # What is larger than any topic takes came compressed. It is not repeated: the headers say where it lies.
        kept = value if value is None or len(value) <= MAX_REQUEST_BYTES else None
        return Record(PREDICTIONS_FAILED, kept, message.key(), headers, message.partition())


def _records(answered: Answered, keys: list[bytes | None], partitions: list[int]) -> Iterator[Record | Records]:
    places, version = answered.places, answered.version
    if len(places) < len(keys):
        keys, partitions = [keys[place] for place in places], [partitions[place] for place in places]
    yield Records(PredictionMade.topic, answered.values, keys, partitions)
    for value in answered.logged:
        yield Record(PREDICTIONS_LOG, value, version.model.encode(), {"content-type": ARROW_STREAM})


def _now() -> datetime:
    return datetime.now(UTC)
