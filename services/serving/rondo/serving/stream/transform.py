"""The prediction stream as a transform of the exactly-once stream. It returns answers, log and dead letters."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import methodcaller, not_
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from rondo.chassis.dead_letters import MAX_KEY_BYTES, dead_letter, report_unprocessable
from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import Record, Records
from rondo.chassis.stream.transform import Output
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.inference.scored import Inference
from rondo.serving.inference.several_models import SeveralModels
from rondo.serving.prediction_log.batch import CONTENT_TYPE
from rondo.serving.requests.request_errors import key_too_long
from rondo.serving.requests.rows import chosen_rows
from rondo.serving.requests.unknown_names import with_warnings
from rondo.serving.stream.encode import encode_answers
from rondo.serving.stream.model_queue import model_of
from rondo.serving.stream.telemetry import StreamTelemetry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.serving.deployments.pending import PendingDeployments
    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.inference.scored import Scored
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.models.serving_table import ServedModels, ServingTable
    from rondo.serving.requests.parser import ParsedRequests
    from rondo.serving.requests.rows import Rows
    from rondo.serving.requests.unknown_names import UnknownName
    from rondo.serving.stream.own_queues import OwnQueues
    from rondo.serving.stream.partitions_kafka import Partitions
    from rondo.serving.stream.repeated_requests import RepeatedRequests
    from rondo.serving.stream.telemetry import BatchReport

    Refused = list[tuple[Message, RequestRefusedError]]

# Below the transaction timeout, because a micro-batch may wait this long for a pending deployment.
_MODEL_TIMEOUT_SECONDS = 10.0
# The longest wait for the previous output. It is only needed when a model gets a deduplication window.
_COMMIT_SECONDS = 10.0
# The largest number of requests of a queue that are answered at a time.
_QUEUED = 1_000
_KEY, _VALUE = methodcaller("key"), methodcaller("value")


@dataclass
class PredictionStream:
    """The prediction stream. `group` is the consumer group that dead letters name."""

    models: ServedModels
    pending: PendingDeployments
    service: InferenceService
    partitions: Partitions
    repeats: RepeatedRequests
    queues: OwnQueues
    group: str
    model_timeout: float = _MODEL_TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        # This is set when the previous output is committed or aborted.
        self._settled = Event()
        self._settled.set()
        # The models that a version served when the micro-batch began.
        self._served: set[str] = set()
        self._telemetry = StreamTelemetry()
        self._infer = SeveralModels(self.service.infer, self.queues.paces)

    def __call__(self, messages: Sequence[Message]) -> Output:
        """Return the answers of a micro-batch, its log, and the dead letters of requests that can't be answered.

        The output also has the answers of queues since the last call.
        """
        reports: list[BatchReport] = []

        settled = Event()

        def committed() -> None:
            settled.set()
            now = time.time()
            for report in reports:
                report.committed(now)

        def aborted() -> None:
            settled.set()
            self.forget()
            for report in reports:
                report.aborted()

        queued = _Queued(self, reports)
        try:
            table = self.models.table
            self._served = set(table.models)
            self._follow(table.windows)
            records = list(self.queues.answered(queued))
            if shared := self.queues.shared(messages):
                reports.append(report := self._telemetry.begin(shared))
                records += self._records(shared, report)
            self.queues.passed(messages)
            records += self.queues.start(queued)
            notes = self.queues.notes(messages)
        except BaseException:
            aborted()
            raise
        if messages or records or notes:
            self._settled = settled
        return Output(records, committed, aborted, notes)

    def forget(self) -> None:
        """Read committed answers back before the next messages, because partitions may have moved."""
        # The order matters, because answers of a queue are kept only while their partitions are known.
        self.queues.forget()
        self.repeats.forget()

    def _follow(self, windows: Mapping[str, float]) -> None:
        """Set the windows of this micro-batch.

        The previous output may have answers to a model that had no window, which are only read back once committed.

        Raises:
            UnavailableError: the previous output is not committed in time.

        """
        if not windows.keys() <= self.repeats.windows.keys() and not self._settled.wait(_COMMIT_SECONDS):
            raise UnavailableError("Kafka", f"a transaction takes longer than {_COMMIT_SECONDS:g} s")
        self.repeats.follow(windows)

    def _records(self, messages: Sequence[Message], report: BatchReport) -> list[Record | Records]:
        batch, refused = split_by_key_size(messages)
        with self.models.lease() as table:
            parsed = table.parser.parse(batch.values)
            if not (awaited := self.pending.to_await(_unserved_models(parsed))):
                return list(self._answer(batch, table, parsed, refused, report))
        self.pending.wait_once(awaited, self.model_timeout)
        with self.models.lease() as table:
            return list(self._answer(batch, table, table.parser.parse(batch.values), refused, report))

    def _answer(
        self, batch: Columns, table: ServingTable, parsed: ParsedRequests, refused: Refused, report: BatchReport
    ) -> Iterator[Record | Records]:
        # This output may already have answers of a queue to other models, which get their window with the next one.
        if late := table.windows.keys() - self.repeats.windows.keys() - self._served:
            self._follow({**self.repeats.windows, **{model: table.windows[model] for model in late}})
        fit = self.queues.fit([schema.model for schema, _, _ in parsed.groups])
        chunk = self._begin(batch, table, parsed, report, leave=fit)
        # If no other model is served, nothing waits for a slow model.
        seconds = self.queues.seconds if len(table.models) > 1 and fit else None
        found = self._infer([(asked.served, asked.rows) for asked in chunk.groups], seconds)
        for index, (asked, (_, rows)) in enumerate(zip(chunk.groups, found, strict=True)):
            if rows < len(asked.places):
                left = self._leave(batch, asked, rows)
                chunk.groups[index] = asked.without(left)
                chunk.turn.leave(left)
        yield from self._finish(chunk, [inference for inference, _ in found], refused)

    def _begin(
        self, batch: Columns, table: ServingTable, parsed: ParsedRequests, report: BatchReport, *, leave: bool
    ) -> _Chunk:
        """Return the requests to score. With `leave`, leave out requests whose partition is not yet read back."""
        partitions = self.partitions.of(PredictionMade.topic, batch.messages)
        turn = _Turn(batch.keys, partitions, self.repeats.windows, dict(parsed.refused), parsed.unknown, report)
        groups = []
        for schema, places, rows in parsed.groups:
            left = self._leave_pending(schema.model, batch, places, turn) if leave else set()
            mine, chosen = places, rows
            if left:
                kept = [row for row, place in enumerate(places) if place not in left]
                mine, chosen = [places[row] for row in kept], chosen_rows(rows, kept)
            groups.append(self._asked(table.models[schema.model], mine, chosen, turn, batch.values))
        return _Chunk(batch, table, turn, groups)

    def _finish(self, chunk: _Chunk, inferences: Sequence[Inference], refused: Refused) -> Iterator[Record | Records]:
        turn = chunk.turn
        for asked, inference in zip(chunk.groups, inferences, strict=True):
            yield from self._answers(asked, inference, turn)
        refused = refused + [(chunk.batch.messages[place], error) for place, error in turn.errors.items()]
        for message, error in refused:
            letter = dead_letter(message, PREDICTIONS_FAILED, self.group, error, reason=error.code)
            yield replace(letter, partition=self.partitions.of(PREDICTIONS_FAILED, [message])[0])
        turn.report.refused([error for _, error in refused])

    def _leave(self, batch: Columns, asked: _Asked, rows: int) -> set[int]:
        """Leave the requests to a model to its queue, from the first unscored one on. Return their places.

        The queue finds requests by the model that they name, so it also gets refused and repeated ones.
        """
        model, places = asked.served.model, range(asked.places[rows], len(batch.messages))
        left = [place for place in places if model_of(batch.messages[place]) == model]
        assert set(asked.places[rows:]) <= set(left)  # noqa: S101 - a request that names two models is refused
        self.queues.wait(model, [batch.messages[place] for place in left], "it is too slow for its micro-batches")
        return set(left)

    def _leave_pending(self, model: str, batch: Columns, places: Sequence[int], turn: _Turn) -> set[int]:
        """Leave requests to a model to its queue if their partitions are not yet read back. Return their places."""
        if model not in turn.windows:
            return set()
        partitions = {turn.partitions[place] for place in places}
        if not (pending := self.repeats.pending(model, turn.windows, partitions, self.queues.seconds or 0)):
            return set()
        left = [
            place
            for place, message in enumerate(batch.messages)
            if turn.partitions[place] in pending and model_of(message) == model
        ]
        self.queues.wait(model, [batch.messages[place] for place in left], "answers are read back for its requests")
        turn.leave(left)
        return set(left)

    def _asked(
        self, served: ServedModel, places: Sequence[int], rows: Rows, turn: _Turn, values: Sequence[bytes | None]
    ) -> _Asked:
        """Return the requests to a model, without those that were answered within its window."""
        if served.model not in turn.windows:
            return _Asked(served, places, rows)
        partitions, contents = [turn.partitions[place] for place in places], [values[place] for place in places]
        found = self.repeats.find(served.model, turn.windows, rows.ids, partitions, contents)
        answers = {places[row]: answer for row, answer in found.answers.items()}
        shared = [[(places[row], places[same]) for row, same in each] for each in found.shared]
        new = [places[row] for row in found.new]
        return _Asked(served, new, chosen_rows(rows, found.new), answers, shared, once=True)

    def _answers(self, asked: _Asked, inference: Inference, turn: _Turn) -> Iterator[Record | Records]:
        places = asked.places
        turn.errors.update((places[row], error) for row, error in inference.refused.items())
        scored_at = {places[row] for scored in inference.scored for row in scored.numbers}
        first = asked.first_answered(scored_at, turn.errors)
        # The rows whose request gets the answer of another request with the same id.
        unused = {row for row, place in enumerate(places) if place in first} if first else set()
        again = dict(asked.answers)
        for scored in (each.without(unused) for each in inference.scored):
            if not scored.numbers:
                continue
            answers, answered = _encoded(scored), [places[row] for row in scored.numbers]
            if turn.unknown:
                answers = turn.with_warnings(asked.served.model, answered, answers)
            yield turn.records(answered, answers)
            yield from _log_records(scored)
            turn.report.answered(asked.served, scored)
            if asked.once:
                self._keep(scored, answered, answers, turn)
                made = dict(zip(answered, answers, strict=True))
                again |= {place: made[source] for place, source in first.items() if source in made}
        for scored in inference.silent:
            yield from _log_records(scored.without(unused) if scored.numbers else scored)
        if again:
            yield turn.records(list(again), list(again.values()))
            turn.report.repeated(asked.served.model, len(again))

    def _keep(self, scored: Scored, places: Sequence[int], answers: Sequence[bytes], turn: _Turn) -> None:
        partitions = [turn.partitions[place] for place in places]
        self.repeats.keep(scored.version.model, turn.windows, scored.rows.ids, partitions, answers, scored.made_at)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The requests to one model that are to be scored, with their places in the micro-batch.

    If an id is answered `once`, `answers` has the answers of repeated requests by place. `shared` has the places of
    each id with several requests, in order, each with the place of the scored request of the same content.
    """

    served: ServedModel
    places: Sequence[int]
    rows: Rows
    answers: Mapping[int, bytes] = field(default_factory=dict)
    shared: Sequence[Sequence[tuple[int, int]]] = ()
    once: bool = False

    def without(self, left: Collection[int]) -> _Asked:
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


@dataclass(slots=True)
class _Chunk:
    """Requests that are being answered: a micro-batch, or some requests of a queue."""

    batch: Columns
    table: ServingTable
    turn: _Turn
    groups: list[_Asked]


@dataclass(frozen=True, slots=True)
class _Turn:
    """State that the models of one micro-batch share, by place in it. `partitions` are those of the answers."""

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


def _unserved_models(parsed: ParsedRequests) -> set[str]:
    codes = ("unknown_model", "unserved_model")
    return {error.model for error in parsed.refused.values() if error.code in codes and error.model is not None}


def _encoded(scored: Scored) -> list[bytes]:
    version = scored.version
    about = (version.model, version.model_version, version.digest)
    return encode_answers(*about, scored.rows.ids, version.outputs, scored.outputs, scored.made_at)


def _log_records(scored: Scored) -> Iterator[Record]:
    version = scored.version
    for value in version.log.encode(scored.log()):
        yield Record(PREDICTIONS_LOG, value, version.model.encode(), {"content-type": CONTENT_TYPE})


@dataclass(frozen=True, slots=True)
class _Queued:
    """Implements `Answers` for the queues. Each chunk leases the table from `begin` until `finish` or `drop`."""

    stream: PredictionStream
    reports: list[BatchReport]

    def most(self, model: str, seconds: float) -> int:
        if (served := self.stream.models.table.models.get(model)) is None:
            return _QUEUED
        return min(max(self.stream.queues.paces.rows(served, seconds), 1), _QUEUED)

    def is_slow(self, model: str, seconds: float) -> bool:
        served = self.stream.models.table.models.get(model)
        return served is not None and self.stream.queues.paces.is_slow(served, seconds)

    def pending(self, model: str, partitions: Collection[int]) -> set[int]:
        stream, table = self.stream, self.stream.models.table
        # A deployment is served before it stops to be pending, so this order refuses no request in between.
        if model not in table.models and stream.pending.is_pending(model):
            return set(partitions)
        windows = stream.repeats.windows
        if model not in windows:
            return set()
        of_answers = {each: stream.partitions.number(PredictionMade.topic, each) for each in partitions}
        pending = stream.repeats.pending(model, windows, of_answers.values(), 0)
        return {each for each, number in of_answers.items() if number in pending}

    def begin(self, messages: Sequence[Message]) -> _Chunk:
        stream = self.stream
        batch, _ = split_by_key_size(messages)
        table = stream.models.acquire()
        try:
            report = stream._telemetry.begin(messages)  # noqa: SLF001 - a part of the stream
            return stream._begin(batch, table, table.parser.parse(batch.values), report, leave=False)  # noqa: SLF001
        except BaseException:
            stream.models.release(table)
            raise

    def score(self, chunk: _Chunk) -> list[Inference]:
        stream = self.stream
        return [
            stream.queues.paces.infer(stream.service.infer, asked.served, asked.rows)
            if len(asked.rows) else Inference([], {})
            for asked in chunk.groups
        ]  # fmt: skip

    def is_outdated(self, chunk: _Chunk) -> bool:
        return any(each != self.stream.repeats.windows for each in (chunk.turn.windows, chunk.table.windows))

    def finish(self, chunk: _Chunk, scored: Sequence[Inference]) -> Iterator[Record | Records]:
        try:
            yield from self.stream._finish(chunk, scored, [])  # noqa: SLF001
        except Exception:
            # They may be kept as answered although they are not.
            for asked in chunk.groups:
                partitions = [chunk.turn.partitions[place] for place in asked.places]
                self.stream.repeats.discard(asked.served.model, asked.rows.ids, partitions)
            raise
        self.reports.append(chunk.turn.report)
        self.stream.models.release(chunk.table)

    def drop(self, chunk: _Chunk) -> None:
        chunk.turn.report.aborted()
        self.stream.models.release(chunk.table)

    def give_up(self, message: Message, error: BaseException, attempts: int) -> Record:
        stream = self.stream
        report_unprocessable(message, PREDICTIONS_FAILED, error)
        letter = dead_letter(message, PREDICTIONS_FAILED, stream.group, error, attempts, reason="unprocessable")
        return replace(letter, partition=stream.partitions.of(PREDICTIONS_FAILED, [message])[0])
