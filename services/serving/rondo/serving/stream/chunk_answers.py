"""Answers the requests of a chunk, in two steps. The caller scores them in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.chassis.dead_letters import dead_letter
from rondo.chassis.kafka_records import Record
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.prediction_log.batch import CONTENT_TYPE
from rondo.serving.requests.rows import chosen_rows
from rondo.serving.stream.chunk import Chunk, ChunkState, ModelRequests
from rondo.serving.stream.encode import encode_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rondo.chassis.kafka_records import Records
    from rondo.serving.inference.scored import Inference, Scored
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.models.serving_table import ServingTable
    from rondo.serving.requests.parser import ParsedRequests
    from rondo.serving.requests.rows import Rows
    from rondo.serving.stream.chunk import Columns, Refused
    from rondo.serving.stream.partitions_kafka import Partitions
    from rondo.serving.stream.repeated_requests import RepeatedRequests
    from rondo.serving.stream.telemetry import BatchReport

    Leave = Callable[[str, Columns, Sequence[int], ChunkState], set[int]]


@dataclass(frozen=True)
class ChunkAnswers:
    """Answers chunks. `group` is the consumer group that dead letters name."""

    partitions: Partitions
    repeats: RepeatedRequests
    group: str

    def begin(
        self,
        batch: Columns,
        table: ServingTable,
        parsed: ParsedRequests,
        report: BatchReport,
        leave: Leave | None = None,
    ) -> Chunk:
        """Return the requests to score, without the places that `leave` returns for each model."""
        partitions = self.partitions.of(PredictionMade.topic, batch.messages)
        state = ChunkState(batch.keys, partitions, self.repeats.windows, dict(parsed.refused), parsed.unknown, report)
        groups = []
        for schema, places, rows in parsed.groups:
            mine, chosen = places, rows
            if leave is not None and (left := leave(schema.model, batch, places, state)):
                kept = [row for row, place in enumerate(places) if place not in left]
                mine, chosen = [places[row] for row in kept], chosen_rows(rows, kept)
            groups.append(self._asked(table.models[schema.model], mine, chosen, state, batch.values))
        return Chunk(batch, table, state, groups)

    def finish(self, chunk: Chunk, inferences: Sequence[Inference], refused: Refused) -> Iterator[Record | Records]:
        """Yield answers, log and dead letters. `refused` are requests that are not in the chunk."""
        state = chunk.state
        for asked, inference in zip(chunk.groups, inferences, strict=True):
            yield from self._answers(asked, inference, state)
        refused = refused + [(chunk.batch.messages[place], error) for place, error in state.errors.items()]
        for message, error in refused:
            letter = dead_letter(message, PREDICTIONS_FAILED, self.group, error, reason=error.code)
            yield replace(letter, partition=self.partitions.of(PREDICTIONS_FAILED, [message])[0])
        state.report.refused([error for _, error in refused])

    def discard(self, chunk: Chunk) -> None:
        """Forget the answers of a chunk, which may be kept as answered although it has failed."""
        for asked in chunk.groups:
            partitions = [chunk.state.partitions[place] for place in asked.places]
            self.repeats.discard(asked.served.model, asked.rows.ids, partitions)

    def _asked(
        self, served: ServedModel, places: Sequence[int], rows: Rows, state: ChunkState, values: Sequence[bytes | None]
    ) -> ModelRequests:
        """Return the requests to a model, without those that were answered within its window."""
        if served.model not in state.windows:
            return ModelRequests(served, places, rows)
        partitions, contents = [state.partitions[place] for place in places], [values[place] for place in places]
        found = self.repeats.find(served.model, state.windows, rows.ids, partitions, contents)
        answers = {places[row]: answer for row, answer in found.answers.items()}
        shared = [[(places[row], places[same]) for row, same in each] for each in found.shared]
        new = [places[row] for row in found.new]
        return ModelRequests(served, new, chosen_rows(rows, found.new), answers, shared, once=True)

    def _answers(self, asked: ModelRequests, inference: Inference, state: ChunkState) -> Iterator[Record | Records]:
        places = asked.places
        state.errors.update((places[row], error) for row, error in inference.refused.items())
        scored_at = {places[row] for scored in inference.scored for row in scored.numbers}
        first = asked.first_answered(scored_at, state.errors)
        # The rows whose request gets the answer of another request with the same id.
        unused = {row for row, place in enumerate(places) if place in first} if first else set()
        again = dict(asked.answers)
        for scored in (each.without(unused) for each in inference.scored):
            if not scored.numbers:
                continue
            answers, answered = _encoded(scored), [places[row] for row in scored.numbers]
            if state.unknown:
                answers = state.with_warnings(asked.served.model, answered, answers)
            yield state.records(answered, answers)
            yield from _log_records(scored)
            state.report.answered(asked.served, scored)
            if asked.once:
                self._keep(scored, answered, answers, state)
                made = dict(zip(answered, answers, strict=True))
                again |= {place: made[source] for place, source in first.items() if source in made}
        for scored in inference.silent:
            yield from _log_records(scored.without(unused) if scored.numbers else scored)
        if again:
            yield state.records(list(again), list(again.values()))
            state.report.repeated(asked.served.model, len(again))

    def _keep(self, scored: Scored, places: Sequence[int], answers: Sequence[bytes], state: ChunkState) -> None:
        partitions = [state.partitions[place] for place in places]
        self.repeats.keep(scored.version.model, state.windows, scored.rows.ids, partitions, answers, scored.made_at)


def _encoded(scored: Scored) -> list[bytes]:
    version = scored.version
    about = (version.model, version.model_version, version.digest)
    return encode_answers(*about, scored.rows.ids, version.outputs, scored.outputs, scored.made_at)


def _log_records(scored: Scored) -> Iterator[Record]:
    version = scored.version
    for value in version.log.encode(scored.log()):
        yield Record(PREDICTIONS_LOG, value, version.model.encode(), {"content-type": CONTENT_TYPE})
