"""The inference service: every transport translates its requests to rows, and this does the rest.

Validate the rows, route each to a version, score, and build the log. Kafka writes the log in the transaction of the
answers; request/response transports share micro-batches (`batcher.py`) and await the log before they answer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.serving import metrics
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference.batcher import Batcher
from rondo.serving.inference.process_memory import resident_bytes
from rondo.serving.inference.scored import Inference, Scored
from rondo.serving.inference.scoring import score
from rondo.serving.outputs.schema import take
from rondo.serving.prediction_log.batch import row_bytes
from rondo.serving.requests.request_errors import no_prediction
from rondo.serving.requests.validation import invalid_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.requests.rows import Rows, SentRows


def infer(
    served: ServedModel, rows: Rows, now: Callable[[], datetime], pinned: LoadedVersion | None = None
) -> Inference:
    """Answer rows of one model. A row that is refused does not affect the others.

    The routing key of a row is its entity, else its id; `pinned` answers instead of the version that the key meets.
    """
    refused = invalid_rows(rows, served.schema, now())
    numbers: Sequence[int] = range(len(rows))
    if refused:
        numbers = [row for row in numbers if row not in refused]
    parts = [(pinned, numbers)] if pinned is not None else _routed(served, rows, numbers)
    scored = [_score(version, rows, mine, now, refused) for version, mine in parts if mine]
    return Inference([each for each in scored if each is not None], refused)


def _routed(served: ServedModel, rows: Rows, numbers: Sequence[int]) -> Iterable[tuple[LoadedVersion, Sequence[int]]]:
    if len(served.versions) == 1:
        return [(served.versions[0], numbers)]
    parts: dict[LoadedVersion, list[int]] = {}
    for row in numbers:
        parts.setdefault(served.version_for(rows.entities[row] or rows.ids[row]), []).append(row)
    return parts.items()


def _score(
    version: LoadedVersion,
    rows: Rows,
    numbers: Sequence[int],
    now: Callable[[], datetime],
    refused: dict[int, RequestRefusedError],
) -> Scored | None:
    mine = rows if len(numbers) == len(rows) else rows.take(numbers)
    began, cpu_began = time.perf_counter(), time.thread_time()
    outputs = score(version, mine.columns, len(mine))
    answerable = version.outputs.answerable(outputs)
    if not answerable.all():
        failed, kept = np.flatnonzero(~answerable).tolist(), np.flatnonzero(answerable).tolist()
        refused |= {numbers[row]: no_prediction(rows.source.where(numbers[row])) for row in failed}
        mine, outputs, numbers = mine.take(kept), take(outputs, kept), [numbers[row] for row in kept]
    made_at = now()
    batch = version.log.batch(mine, outputs, made_at) if numbers else None
    took, on_cpu = time.perf_counter() - began, time.thread_time() - cpu_began
    unanswered = len(answerable) - len(numbers)
    version.log.meter.add(InferenceCost.measured(took, on_cpu, len(numbers), unanswered, resident_bytes()))
    return None if batch is None else Scored(version, numbers, mine, outputs, made_at, batch)


@dataclass(frozen=True)
class InferenceService:
    """Answers rows of any transport. `publish` sends a record of a model's log and returns when Kafka has it."""

    publish: Callable[[str, bytes], Awaitable[None]]
    now: Callable[[], datetime]
    _batchers: dict[str, Batcher] = field(default_factory=dict)

    def infer(self, served: ServedModel, rows: Rows) -> Inference:
        """Answer rows that are refused one by one; the caller writes the log together with the answers."""
        return infer(served, rows, self.now)

    async def infer_logged(
        self, served: ServedModel, rows: SentRows, pinned: LoadedVersion | None = None, size: int = 0
    ) -> Sequence[Answered]:
        """Answer all rows of a request of `size` bytes, or none; returns once Kafka has their log.

        Raises:
            RequestRefusedError: the first row that can't be answered, or that is too large for the log.
            UnavailableError: Kafka does not take the log, or too many requests wait.

        """
        if (batcher := self._batchers.get(served.model)) is None:
            batcher = self._batchers[served.model] = Batcher(served.model, self._infer_whole, self._write)
        return await batcher.answer(served, rows, pinned, size)

    def _infer_whole(self, served: ServedModel, rows: Rows, pinned: LoadedVersion | None, size: int) -> Inference:
        inference = infer(served, rows, self.now, pinned)
        # A text has no more bytes in the log than it had in JSON, a number has at most four times as many.
        if size > MAX_REQUEST_BYTES // 4:
            for scored in inference.scored:
                inference.refused.update(_too_large(scored))
        return inference

    async def _write(self, scored: Scored) -> None:
        """Publish the log of a part, and count it."""
        version = scored.version
        for record in version.log.encode(scored.log):
            await self.publish(version.model, record)
        metrics.PREDICTIONS.labels(version.model, str(version.model_version), "answered").inc(len(scored.rows))


def _too_large(scored: Scored) -> Iterator[tuple[int, RequestRefusedError]]:
    """Yield the rows that are larger than a Kafka message may be: the log would refuse their neighbours with them."""
    sizes = row_bytes(scored.log)
    for place in np.flatnonzero(sizes > MAX_REQUEST_BYTES).tolist():
        row = scored.numbers[place]
        where = f"row {row} has {sizes[place]:,} bytes"
        message = f"{where}, more than the {MAX_REQUEST_BYTES:,} that are allowed: send shorter texts"
        yield row, RequestRefusedError("too_large", message, row=row)
