"""Answers the requests of queues outside a micro-batch, in three steps, of which another thread may do the second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from rondo.chassis.dead_letters import dead_letter, report_unprocessable
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.inference.scored import Inference
from rondo.serving.stream.chunk import split_by_key_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.deployments.pending import PendingDeployments
    from rondo.serving.inference.pace import Paces
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels
    from rondo.serving.stream.chunk import Chunk
    from rondo.serving.stream.chunk_answers import ChunkAnswers
    from rondo.serving.stream.telemetry import BatchReport, StreamTelemetry

# The largest number of requests of a queue that are answered at a time.
_QUEUED = 1_000


class Answers(Protocol):
    """Answers requests outside a micro-batch, in three steps."""

    def most(self, model: str, seconds: float, /) -> int:
        """Return the number of requests to a model that are expected to take at most `seconds`, and at least 1."""
        ...

    def is_slow(self, model: str, seconds: float, /) -> bool:
        """Return whether a request to a model is expected to take longer than `seconds`. False if none serves it."""
        ...

    def pending(self, model: str, partitions: Collection[int], /) -> set[int]:
        """Return the partitions in which requests to a model can't be started yet.

        All of them, while the first version of the model is being loaded.
        """
        ...

    def begin(self, messages: Sequence[Message], /) -> Any:
        """Start these requests to one model. Return the state that `score` needs."""
        ...

    def score(self, chunk: Any, /) -> Any:
        """Score the requests, in another thread."""
        ...

    def is_outdated(self, chunk: Any, /) -> bool:
        """Return whether the requests must be started again, because deduplication windows have changed since."""
        ...

    def finish(self, chunk: Any, scored: Any, /) -> Iterator[Record | Records]:
        """Return answers, log and dead letters. Release the resources of `begin`, unless this fails."""
        ...

    def drop(self, chunk: Any, /) -> None:
        """Release the resources of `begin`. Any thread may call this."""
        ...

    def give_up(self, message: Message, error: BaseException, attempts: int, /) -> Record:
        """Return the dead letter of a request for which scoring fails repeatedly."""
        ...


@dataclass(frozen=True, slots=True)
class QueueAnswers:
    """Implements `Answers`. Each chunk leases the table from `begin` until `finish` or `drop`.

    `finish` adds the report of a chunk to `reports`.
    """

    models: ServedModels
    pending_deployments: PendingDeployments
    service: InferenceService
    paces: Paces
    chunks: ChunkAnswers
    telemetry: StreamTelemetry
    reports: list[BatchReport]

    def most(self, model: str, seconds: float) -> int:
        if (served := self.models.table.models.get(model)) is None:
            return _QUEUED
        return min(max(self.paces.rows(served, seconds), 1), _QUEUED)

    def is_slow(self, model: str, seconds: float) -> bool:
        served = self.models.table.models.get(model)
        return served is not None and self.paces.is_slow(served, seconds)

    def pending(self, model: str, partitions: Collection[int]) -> set[int]:
        # A deployment is served before it stops to be pending, so this order refuses no request in between.
        if model not in self.models.table.models and self.pending_deployments.is_pending(model):
            return set(partitions)
        repeats = self.chunks.repeats
        if model not in repeats.windows:
            return set()
        of_answers = {each: self.chunks.partitions.number(PredictionMade.topic, each) for each in partitions}
        pending = repeats.pending(model, repeats.windows, of_answers.values(), 0)
        return {each for each, number in of_answers.items() if number in pending}

    def begin(self, messages: Sequence[Message]) -> Chunk:
        batch, _ = split_by_key_size(messages)
        table = self.models.acquire()
        try:
            return self.chunks.begin(batch, table, table.parser.parse(batch.values), self.telemetry.begin(messages))
        except BaseException:
            self.models.release(table)
            raise

    def score(self, chunk: Chunk) -> list[Inference]:
        return [
            self.paces.infer(self.service.infer, asked.served, asked.rows) if len(asked.rows) else Inference([], {})
            for asked in chunk.groups
        ]

    def is_outdated(self, chunk: Chunk) -> bool:
        return any(each != self.chunks.repeats.windows for each in (chunk.state.windows, chunk.table.windows))

    def finish(self, chunk: Chunk, scored: Sequence[Inference]) -> Iterator[Record | Records]:
        try:
            yield from self.chunks.finish(chunk, scored, [])
        except Exception:
            self.chunks.discard(chunk)
            raise
        self.reports.append(chunk.state.report)
        self.models.release(chunk.table)

    def drop(self, chunk: Chunk) -> None:
        chunk.state.report.aborted()
        self.models.release(chunk.table)

    def give_up(self, message: Message, error: BaseException, attempts: int) -> Record:
        report_unprocessable(message, PREDICTIONS_FAILED, error)
        letter = dead_letter(message, PREDICTIONS_FAILED, self.chunks.group, error, attempts, reason="unprocessable")
        return replace(letter, partition=self.chunks.partitions.of(PREDICTIONS_FAILED, [message])[0])
