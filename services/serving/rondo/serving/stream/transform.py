"""The prediction stream as a transform of the exactly-once stream: requests in; answers, log and dead letters out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from rondo.chassis.dead_letters import MAX_KEY_BYTES, dead_letter
from rondo.chassis.kafka_records import Record, Records
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.prediction_log.batch import CONTENT_TYPE
from rondo.serving.requests.request_errors import key_too_long
from rondo.serving.stream.encode import encode
from rondo.serving.stream.telemetry import BatchTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Message

    from rondo.serving.deployments.pending import PendingDeployments
    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.inference.scored import Scored
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels, ServingTable
    from rondo.serving.requests.parser import ParsedRequests
    from rondo.serving.stream.partitions_kafka import Partitions

    Refused = list[tuple[Message, RequestRefusedError]]

# Below the transaction timeout: a micro-batch may wait this long for a pending deployment.
_MODEL_TIMEOUT_SECONDS = 10.0


@dataclass
class PredictionStream:
    """`group` is the consumer group that dead letters name."""

    models: ServedModels
    pending: PendingDeployments
    service: InferenceService
    partitions: Partitions
    group: str
    model_timeout: float = _MODEL_TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        self._telemetry = BatchTelemetry()

    def __call__(self, messages: Sequence[Message]) -> Iterator[Record | Records]:
        """Return the answers of a micro-batch, its log, and the dead letters of what can't be answered."""
        self._telemetry.begin(messages)
        fit, refused = split_by_key_size(messages)
        values = [message.value() for message in fit]
        with self.models.lease() as table:
            parsed = table.parser.parse(values)
            if not (awaited := self.pending.to_await(_unserved_models(parsed))):
                yield from self._answer(fit, table, parsed, refused)
                return
        self.pending.wait_once(awaited, self.model_timeout)
        with self.models.lease() as table:
            yield from self._answer(fit, table, table.parser.parse(values), refused)

    def committed(self) -> None:
        self._telemetry.committed(time.time())

    def _answer(
        self, messages: Sequence[Message], table: ServingTable, parsed: ParsedRequests, refused: Refused
    ) -> Iterator[Record | Records]:
        keys = [message.key() for message in messages]
        partitions = self.partitions.of(PredictionMade.topic, messages)
        errors = dict(parsed.refused)
        for schema, places, requests in parsed.groups:
            served = table.models[schema.model]
            inference = self.service.infer(served, schema.rows(requests))
            errors |= {places[row]: error for row, error in inference.refused.items()}
            for scored in inference.scored:
                yield from _records(scored, [places[row] for row in scored.numbers], keys, partitions)
                self._telemetry.answered(served, scored)
            for scored in inference.silent:
                yield from _log_records(scored)
        refused = refused + [(messages[place], error) for place, error in errors.items()]
        for message, error in refused:
            letter = dead_letter(message, PREDICTIONS_FAILED, self.group, error, reason=error.code)
            yield replace(letter, partition=self.partitions.of(PREDICTIONS_FAILED, [message])[0])
        self._telemetry.refused([error for _, error in refused])


def split_by_key_size(messages: Sequence[Message]) -> tuple[Sequence[Message], Refused]:
    """Return the messages whose key an answer can repeat, and the others with their error."""
    fit = [len(key) <= MAX_KEY_BYTES if (key := message.key()) else True for message in messages]
    if all(fit):
        return messages, []
    refused = list(compress(messages, map(not_, fit)))
    return list(compress(messages, fit)), [(m, key_too_long(len(m.key() or b""), MAX_KEY_BYTES)) for m in refused]


def _unserved_models(parsed: ParsedRequests) -> set[str]:
    codes = ("unknown_model", "unserved_model")
    return {error.model for error in parsed.refused.values() if error.code in codes and error.model is not None}


def _records(
    scored: Scored, places: Sequence[int], keys: list[bytes | None], partitions: Sequence[int]
) -> Iterator[Record | Records]:
    version = scored.version
    if len(places) < len(keys):
        keys, partitions = [keys[place] for place in places], [partitions[place] for place in places]
    about = (version.model, version.model_version, version.digest)
    answers = encode(*about, scored.rows.ids, version.outputs, scored.outputs, scored.made_at)
    yield Records(PredictionMade.topic, answers, keys, partitions)
    yield from _log_records(scored)


def _log_records(scored: Scored) -> Iterator[Record]:
    version = scored.version
    for value in version.log.encode(scored.log):
        yield Record(PREDICTIONS_LOG, value, version.model.encode(), {"content-type": CONTENT_TYPE})
