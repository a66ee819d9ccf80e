"""The prediction stream as a transform of the exactly-once stream. It returns answers, log and dead letters."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.chassis.stream.transform import Output
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.inference.several_models import SeveralModels
from rondo.serving.stream.chunk import split_by_key_size
from rondo.serving.stream.chunk_answers import ChunkAnswers
from rondo.serving.stream.model_queue import model_of
from rondo.serving.stream.queue_answers import QueueAnswers
from rondo.serving.stream.telemetry import StreamTelemetry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.deployments.pending import PendingDeployments
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels, ServingTable
    from rondo.serving.requests.parser import ParsedRequests
    from rondo.serving.stream.chunk import ChunkState, Columns, ModelRequests, Refused
    from rondo.serving.stream.own_queues import OwnQueues
    from rondo.serving.stream.partitions_kafka import Partitions
    from rondo.serving.stream.repeated_requests import RepeatedRequests
    from rondo.serving.stream.telemetry import BatchReport

# The longest wait of a micro-batch for a pending deployment.
_MODEL_TIMEOUT_SECONDS = 10.0
# The longest wait for the previous output. It is needed when a model gets a deduplication window, or partitions left.
_COMMIT_SECONDS = 10.0
# The time of the inference of one micro-batch without queues. `/readyz` waits for six of them. A micro-batch that loses
# a partition meanwhile is scored again.
_TURN_SECONDS = 5.0
# The time for which the models of a micro-batch are expected in the next ones.
_RECENT_SECONDS = 60.0
# The number of requests before a model is served. A first version may be on its way, and its pace is not known yet.
_UNKNOWN = 100


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
        # The time at the end of the last inference of each model, which may itself take longer than `_RECENT_SECONDS`.
        self._asked: dict[str, float] = {}
        self._telemetry = StreamTelemetry()
        self._infer = SeveralModels(self.service.infer, self.queues.paces)
        self._chunks = ChunkAnswers(self.partitions, self.repeats, self.group)

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

        queued = QueueAnswers(
            self.models, self.pending, self.service, self.queues.paces, self._chunks, self._telemetry, reports
        )
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

    def max_records(self) -> int:
        """Return the largest number of requests of a micro-batch, so that its inference takes about `_TURN_SECONDS`.

        Where a slow model gets a queue, there is no bound.
        """
        models, now = self.models.table.models, time.monotonic()
        # A model that nobody asks must not slow down the others.
        recent = {model for model in models if now - self._asked.get(model, -math.inf) < _RECENT_SECONDS}
        if len(models) > 1 and self.queues.fit(recent):
            return sys.maxsize
        paces = [self.queues.paces.rows(models[model], _TURN_SECONDS) for model in recent or models]
        return max(min(paces, default=_UNKNOWN), 1)

    def forget(self, moved: Collection[tuple[str, int]] | None = None) -> None:
        """Drop the state of partitions before their next messages, because they may have, or have had, another owner.

        With None drop all state, because a micro-batch was aborted. Another thread may call this.
        """
        # The order matters, because answers of a queue are kept only while their partitions are known.
        if moved is None:
            self.queues.forget()
            self.repeats.forget()
            return
        partitions = {partition for _, partition in moved}
        self.queues.forget(partitions)
        self.repeats.forget(self.partitions.known(PredictionMade.topic, partitions))

    def _follow(self, windows: Mapping[str, float]) -> None:
        """Set the windows of this micro-batch.

        The previous output may have answers to a model that had no window, or answers in a partition that is read back
        because partitions have left. They are only read back once committed.

        Raises:
            UnavailableError: the previous output is not committed in time.

        """
        unread = self.repeats.left or not windows.keys() <= self.repeats.windows.keys()
        if unread and not self._settled.wait(_COMMIT_SECONDS):
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
        models = [schema.model for schema, _, _ in parsed.groups]
        fit = self.queues.fit(models)
        chunk = self._chunks.begin(batch, table, parsed, report, self._leave_pending if fit else None)
        # If no other model is served, nothing waits for a slow model.
        seconds = self.queues.seconds if len(table.models) > 1 and fit else None
        try:
            found = self._infer([(asked.served, asked.rows) for asked in chunk.groups], seconds)
        finally:
            self._asked |= dict.fromkeys(models, time.monotonic())
        for index, (asked, (_, rows)) in enumerate(zip(chunk.groups, found, strict=True)):
            if rows < len(asked.places):
                left = self._leave(batch, asked, rows)
                chunk.groups[index] = asked.without(left)
                chunk.state.leave(left)
        yield from self._chunks.finish(chunk, [inference for inference, _ in found], refused)

    def _leave(self, batch: Columns, asked: ModelRequests, rows: int) -> set[int]:
        """Leave the requests to a model to its queue, from the first unscored one on. Return their places.

        The queue finds requests by the model that they name, so it also gets refused and repeated ones.
        """
        model, places = asked.served.model, range(asked.places[rows], len(batch.messages))
        left = [place for place in places if model_of(batch.messages[place]) == model]
        assert set(asked.places[rows:]) <= set(left)  # noqa: S101 - a request that names two models is refused
        self.queues.wait(model, [batch.messages[place] for place in left], "it is too slow for its micro-batches")
        return set(left)

    def _leave_pending(self, model: str, batch: Columns, places: Sequence[int], state: ChunkState) -> set[int]:
        """Leave requests to a model to its queue if their partitions are not yet read back. Return their places."""
        if model not in state.windows:
            return set()
        partitions = {state.partitions[place] for place in places}
        if not (pending := self.repeats.pending(model, state.windows, partitions, self.queues.seconds or 0)):
            return set()
        left = [
            place
            for place, message in enumerate(batch.messages)
            if state.partitions[place] in pending and model_of(message) == model
        ]
        self.queues.wait(model, [batch.messages[place] for place in left], "answers are read back for its requests")
        state.leave(left)
        return set(left)


def _unserved_models(parsed: ParsedRequests) -> set[str]:
    codes = ("unknown_model", "unserved_model")
    return {error.model for error in parsed.refused.values() if error.code in codes and error.model is not None}
