"""The inference service of all transports. A transport converts its requests to rows, and calls the service.

The service validates the rows, routes each to a version, scores them and builds the log. The Kafka transport writes the
log in the transaction of the answers. Request/response transports share micro-batches (`batcher.py`), and await the log
before they answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from opentelemetry import trace

from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.serving import metrics
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference.batcher import Batcher, Request
from rondo.serving.inference.process_memory import resident_bytes
from rondo.serving.inference.scored import Duration, Inference, Scored
from rondo.serving.inference.scoring import score
from rondo.serving.outputs.schema import take_rows
from rondo.serving.prediction_log.batch import row_bytes
from rondo.serving.requests.request_errors import no_prediction
from rondo.serving.requests.validation import invalid_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from rondo.serving.inference.batcher import Answered
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Rows, SentRows

T = TypeVar("T")


def infer(
    served: ServedModel, rows: Rows, now: Callable[[], datetime], pinned: LoadedVersion | None = None
) -> Inference:
    """Answer rows of one model. A row that is refused does not affect the others.

    The routing key of a row is its entity, or its id if it has none. If `pinned` is set, this version answers all rows.
    While a rollout compares versions, the other version scores the rows, too, which is logged and not sent.
    """
    refused = invalid_rows(rows, served.schema, now())
    numbers: Sequence[int] = range(len(rows))
    if refused:
        numbers = [row for row in numbers if row not in refused]
    if pinned is not None:
        parts: Iterable[tuple[LoadedVersion, Sequence[int]]] = [(pinned, numbers)]
    elif served.compared is not None:
        return _compare(served, rows, numbers, now, refused)
    else:
        parts = _routed(served, rows, numbers)
    scored, silent, durations = list[Scored](), list[Scored](), list[Duration]()
    for version, mine in parts:
        if mine:
            found = _score(version, rows, mine, now)
            durations.append(found.duration)
            refused |= {row: no_prediction(rows.source.where(row)) for row in found.failed}
            scored += found.part(found.numbers)
            silent += found.without_rows()
    return Inference(scored, refused, silent, durations)


def _routed(served: ServedModel, rows: Rows, numbers: Sequence[int]) -> Iterable[tuple[LoadedVersion, Sequence[int]]]:
    if len(served.versions) == 1:
        return [(served.versions[0], numbers)]
    parts: dict[LoadedVersion, list[int]] = {}
    for row in numbers:
        parts.setdefault(served.version_for(rows.entities[row] or rows.ids[row]), []).append(row)
    return parts.items()


def _compare(
    served: ServedModel,
    rows: Rows,
    numbers: Sequence[int],
    now: Callable[[], datetime],
    refused: dict[int, RequestRefusedError],
) -> Inference:
    """Score rows with both versions, and answer each row with the version of its key.

    The champion answers rows on which the other version fails, so no client gets an error of a candidate.
    """
    if not numbers:
        return Inference([], refused)
    compared = served.compared
    assert compared is not None  # noqa: S101 - the caller has looked
    parts = dict(_routed(served, rows, numbers))
    scored, silent, durations = list[Scored](), list[Scored](), list[Duration]()
    answered = set(parts.get(compared.other, ()))
    if others := list(numbers) if compared.all_rows else sorted(answered):
        by_other = _score(compared.other, rows, others, now)
        durations.append(by_other.duration)
        answered.difference_update(by_other.failed)
        scored += by_other.part([row for row in by_other.numbers if row in answered])
        unsent = [row for row in by_other.numbers if row not in answered]
        silent += by_other.part(unsent, compared.silent, sent=False)
        silent += by_other.without_rows()
    by_primary = _score(compared.primary, rows, numbers, now)
    durations.append(by_primary.duration)
    refused |= {row: no_prediction(rows.source.where(row)) for row in by_primary.failed if row not in answered}
    scored += by_primary.part([row for row in by_primary.numbers if row not in answered])
    silent += by_primary.part([row for row in by_primary.numbers if row in answered], sent=False)
    silent += by_primary.without_rows()
    return Inference(scored, refused, silent, durations)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The rows that a version could score, by their numbers among all rows, and the numbers of those it could not.

    `seconds` is the time for both.
    """

    version: LoadedVersion
    numbers: Sequence[int]
    rows: Rows
    outputs: Outputs
    failed: Sequence[int]
    made_at: datetime
    seconds: float

    @property
    def duration(self) -> Duration:
        return Duration(self.version, len(self.numbers) + len(self.failed), self.seconds)

    def part(
        self, numbers: Sequence[int], version: LoadedVersion | None = None, *, sent: bool = True
    ) -> Iterator[Scored]:
        """Yield some of the rows with their log, in the name of `version` if it is given. Nothing if there are none."""
        if not numbers:
            return
        version, mine, outputs = version or self.version, self.rows, self.outputs
        if len(numbers) < len(self.numbers):
            place = {row: index for index, row in enumerate(self.numbers)}
            kept = [place[row] for row in numbers]
            mine, outputs = mine.take(kept), take_rows(outputs, kept)
        yield Scored(version, numbers, mine, outputs, self.made_at, sent)

    def without_rows(self) -> Iterator[Scored]:
        """Yield a log without rows if the version failed on all rows. Otherwise its failures would be in no log."""
        if not self.numbers:
            yield Scored(self.version, (), self.rows, self.outputs, self.made_at, sent=False)


def _score(version: LoadedVersion, rows: Rows, numbers: Sequence[int], now: Callable[[], datetime]) -> _Scores:
    mine = version.own(rows if len(numbers) == len(rows) else rows.take(numbers))
    began, cpu_began = time.perf_counter(), time.thread_time()
    outputs = score(version, mine.columns, len(mine))
    answerable = version.outputs.answerable(outputs)
    failed: Sequence[int] = ()
    if not answerable.all():
        kept = np.flatnonzero(answerable).tolist()
        failed = [numbers[row] for row in np.flatnonzero(~answerable).tolist()]
        mine, outputs, numbers = mine.take(kept), take_rows(outputs, kept), [numbers[row] for row in kept]
    took, on_cpu = time.perf_counter() - began, time.thread_time() - cpu_began
    version.log.meter.add(InferenceCost.measured(took, on_cpu, len(numbers), len(failed), resident_bytes()))
    return _Scores(version, numbers, mine, outputs, failed, now(), took)


@dataclass(frozen=True)
class InferenceService:
    """Answers rows of any transport.

    `publish` sends a record of a model's log. The awaitable that it returns ends when Kafka has acknowledged the
    record.
    """

    publish: Callable[[str, bytes], Awaitable[None]]
    now: Callable[[], datetime]
    _batchers: dict[str, Batcher] = field(default_factory=dict)

    def infer(self, served: ServedModel, rows: Rows) -> Inference:
        """Answer rows, each by itself. The caller writes the log together with the answers."""
        return infer(served, rows, self.now)

    async def infer_logged(
        self,
        served: ServedModel,
        rows: SentRows,
        pinned: LoadedVersion | None = None,
        size: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109 - the request has it
    ) -> Sequence[Answered]:
        """Answer all rows of a request of `size` bytes or none.

        Return when Kafka has the log, or at once if it is buffered.

        Raises:
            RequestRefusedError: a row can't be answered, or is too large for the log. The error is that of the first
                such row.
            LogUnavailableError: Kafka does not accept a log that is not buffered.
            OverloadedError: too many requests are waiting.
            DeadlineExceededError: the answer took longer than `timeout` seconds.

        """
        return await self.answer(served, rows, pinned, size, lambda answered: answered, timeout)

    async def answer(
        self,
        served: ServedModel,
        rows: SentRows,
        pinned: LoadedVersion | None,
        size: int,
        encode: Callable[[Sequence[Answered]], T],
        timeout: float | None = None,  # noqa: ASYNC109 - the request has it
    ) -> T:
        """Return the answer, which `encode` makes while the log is sent to Kafka.

        Errors are those of `infer_logged`.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def settle(result: Any) -> None:
            if done.done():  # cancelled in this turn of the loop
                return
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

        caller = trace.get_current_span().get_span_context()
        request = Request(served, rows, pinned, size, encode, settle, caller, timeout)
        self.submit(request)
        try:
            return await done
        finally:
            self._batcher(served.model).cancel(request)

    def submit(self, request: Request) -> None:
        """Answer a request as `infer_logged` does, without its own coroutine. Errors are those of `Batcher.submit`."""
        self._batcher(request.served.model).submit(request)

    async def flush(self) -> None:
        """Return when the log of all answers that did not wait for it is in Kafka or lost."""
        await asyncio.gather(*(batcher.flush() for batcher in self._batchers.values()))

    def _batcher(self, model: str) -> Batcher:
        if (batcher := self._batchers.get(model)) is None:
            batcher = self._batchers[model] = Batcher(model, self._infer_whole, self._publish)
        return batcher

    def _infer_whole(self, served: ServedModel, rows: Rows, pinned: LoadedVersion | None, size: int) -> Inference:
        inference = infer(served, rows, self.now, pinned)
        # A text has at most as many bytes in the log as in JSON, and a number at most four times as many.
        if size > MAX_REQUEST_BYTES // 4:
            for scored in inference.scored:
                inference.refused.update(_too_large(scored))
        return inference

    def _publish(self, scored: Sequence[Scored]) -> Awaitable[None]:
        """Send the log of parts. The returned awaitable ends when Kafka has all of it, and counts the answers."""
        records = [(part.version.model, part.version.log.encode(part.log())) for part in scored]
        sent = [self.publish(model, record) for model, encoded in records for record in encoded]
        return _acknowledged(scored, sent)


async def _acknowledged(scored: Sequence[Scored], sent: Sequence[Awaitable[None]]) -> None:
    if len(sent) == 1:  # this avoids the tasks that `gather` creates
        await sent[0]
    else:
        await asyncio.gather(*sent)
    for part in scored:
        if part.sent:
            version = part.version
            metrics.PREDICTIONS.labels(version.model, str(version.model_version), "answered").inc(len(part.rows))


def _too_large(scored: Scored) -> Iterator[tuple[int, RequestRefusedError]]:
    """Yield rows that are larger than a Kafka message may be.

    The log would refuse other rows together with them.
    """
    sizes = row_bytes(scored.log())
    for place in np.flatnonzero(sizes > MAX_REQUEST_BYTES).tolist():
        row = scored.numbers[place]
        where = f"row {row} has {sizes[place]:,} bytes"
        message = f"{where}, more than the {MAX_REQUEST_BYTES:,} that are allowed: send shorter texts"
        yield row, RequestRefusedError("too_large", message, row=row)
