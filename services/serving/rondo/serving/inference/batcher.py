"""Answers waiting requests to one model together as a micro-batch, and logs them as one record per version.

A request that arrives while no micro-batch is active forms one with all requests of the same turn of the event loop, so
a single request does not wait. One micro-batch is active at a time. While it is scored and its log is sent to Kafka,
further requests collect, and so do requests within two turns of the loop after its answers. The acknowledgements of
Kafka thus set the pace, and micro-batches grow with the load. A buffered log is written separately (`buffered_log.py`).
A micro-batch is then active until it is scored and answered.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context

from rondo.chassis.errors import UnavailableError
from rondo.serving.errors import DeadlineExceededError, LogUnavailableError, OverloadedError
from rondo.serving.inference import joined_rows
from rondo.serving.inference.buffered_log import BufferedLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.trace import SpanContext

    from rondo.serving.inference.scored import Inference, Scored
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Rows, SentRows

    Infer = Callable[[ServedModel, Rows, LoadedVersion | None, int], Inference]
    Publish = Callable[[Sequence[Scored]], Awaitable[None]]
    Encode = Callable[[Sequence["Answered"]], Any]
    Settle = Callable[[Any], None]

log = logging.getLogger(__name__)
# The limit of rows from several requests. A single request may have more.
_MAX_ROWS = 256
# With fewer rows, the switch to a thread costs more than the inference by a fast model.
_INLINE_ROWS, _INLINE_SECONDS = 64, 0.005
_MAX_LINKS = 16
# Turns of the event loop between two micro-batches. Clients that were just answered send their next request during
# these turns. Otherwise the clients would split into two groups with alternating micro-batches, each of half the size.
_TURNS = 2
_TRACER = trace.get_tracer("rondo")
MAX_REQUESTS, MAX_BYTES = 1_000, 64 * 1024 * 1024
_MOST_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answered:
    """The rows of one request that one version answered: their numbers in the request, and their outputs."""

    version: LoadedVersion
    numbers: Sequence[int]
    outputs: Outputs


@dataclass(slots=True, eq=False)
class Request:
    """The rows of one request of `size` bytes, and the functions that receive its result.

    `encode` makes the answer from the outputs of the versions, while the log is sent to Kafka. `settle` is called once
    with the answer, after Kafka has acknowledged the log, or at once if the log is buffered. If the request fails, it
    is called with the exception.
    """

    served: ServedModel
    rows: SentRows
    pinned: LoadedVersion | None
    size: int
    encode: Encode
    settle: Settle
    # The context of the request's own span, if its sender has begun a trace.
    caller: SpanContext = trace.INVALID_SPAN_CONTEXT
    # The timeout in seconds from submission. None without a limit.
    timeout: float | None = None
    timer: asyncio.TimerHandle | None = None
    # True until the request is settled or cancelled.
    open: bool = True


@dataclass(slots=True)
class _Found:
    """The results of a micro-batch: parts for the log, then answers and errors by request."""

    scored: list[Scored] = field(default_factory=list)
    answers: list[tuple[Request, Sequence[Answered]]] = field(default_factory=list)
    errors: list[tuple[Request, Exception]] = field(default_factory=list)
    # Seconds of CPU time, because the load by other processes says nothing about the model.
    seconds: float = 0.0

    def extend(self, other: _Found) -> None:
        self.scored += other.scored
        self.answers += other.answers
        self.errors += other.errors


class Batcher:
    """The queue of one model.

    `infer` scores rows, given with the size of their requests in bytes. `publish` sends the log of parts. The awaitable
    that it returns ends when Kafka has acknowledged all of it.
    """

    def __init__(self, model: str, infer: Infer, publish: Publish, *, max_bytes: int = MAX_BYTES) -> None:
        self._model, self._infer, self._publish = model, infer, publish
        self._max_bytes, self._buffered = max_bytes, BufferedLog(publish)
        self._waiting: list[Request] = []
        self._requests = self._bytes = 0
        self._running: asyncio.Task[None] | None = None
        # The duration of the last micro-batch with about as many rows, because 64 rows may take much longer than one.
        self._seconds = [_INLINE_SECONDS] * (_INLINE_ROWS.bit_length() + 1)
        # Seconds per request of the last answered micro-batch.
        self._pace = 0.0

    def submit(self, request: Request) -> None:
        """Answer all rows of a request or none.

        The request is settled with a RequestRefusedError if a row can't be answered or is too large for the log, with a
        LogUnavailableError if Kafka does not accept the log and the answer waits for it, and with a
        DeadlineExceededError after its timeout. A request that is still waiting at its timeout is neither scored nor
        logged.

        Raises:
            OverloadedError: too many requests are waiting.

        """
        size = self._bytes + self._buffered.size
        if self._requests >= MAX_REQUESTS or size + request.size > self._max_bytes:
            waiting = f"{self._requests:,} requests of {size:,} bytes wait for the model {self._model} or its log"
            raise OverloadedError(waiting, self._retry_seconds())
        self._waiting.append(request)
        self._requests, self._bytes = self._requests + 1, self._bytes + request.size
        if request.timeout is not None:
            request.timer = asyncio.get_running_loop().call_later(request.timeout, self._expire, request)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    def _retry_seconds(self) -> int:
        """Return the expected seconds for the waiting requests, at the pace of the last micro-batch."""
        return min(max(math.ceil(self._requests * self._pace), 1), _MOST_RETRY_SECONDS)

    async def flush(self) -> None:
        """Return when the log of all answers that did not wait for it is in Kafka or lost."""
        await self._buffered.flush()

    def cancel(self, request: Request) -> None:
        """Settle a request without a result, unless it is settled. A request that still waits is not logged or kept."""
        if request.open:
            self._close(request)
            if request in self._waiting:
                self._waiting.remove(request)

    def _expire(self, request: Request) -> None:
        if waits := request in self._waiting:
            self._waiting.remove(request)
        self._settle(request, DeadlineExceededError(request.timeout or 0.0, began=not waits))

    def _close(self, request: Request) -> None:
        request.open = False
        if request.timer is not None:
            request.timer.cancel()
        self._requests, self._bytes = self._requests - 1, self._bytes - request.size

    def _settle(self, request: Request, result: Any) -> None:
        if request.open:
            self._close(request)
            try:
                request.settle(result)
            except Exception:
                # The error belongs to this request alone. The requests after it in the micro-batch wait for their
                # results.
                log.exception("the model %s: an answer can't be sent", self._model)

    def _settle_all(self, requests: Sequence[Request], result: Any) -> None:
        for request in requests:
            self._settle(request, result)

    async def _run(self) -> None:
        try:
            while taken := self._take():
                try:
                    with self._span(taken):
                        await self._answer(taken)
                except Exception as error:  # noqa: BLE001 - each request has it, and its transport answers or logs it
                    if not isinstance(error, UnavailableError):
                        self._settle_all(taken, error)
                    else:
                        self._settle_all(taken, LogUnavailableError(error.what, error.why))
                        # Waiting requests would fail too late, after the requests before them. None of them is in the
                        # log.
                        waiting, self._waiting = self._waiting, []
                        self._settle_all(waiting, error)
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        finally:
            self._running = None

    def _span(self, taken: Sequence[Request]) -> AbstractContextManager[object]:
        """Open the span of a micro-batch, with links to the spans of its first requests."""
        links = [trace.Link(request.caller) for request in taken[:_MAX_LINKS] if request.caller.is_valid]
        rows = sum(len(request.rows) for request in taken)
        about: dict[str, str | int] = {"model": self._model, "requests": len(taken), "rows": rows}
        # A root span, because the loop runs this in the context of the first request.
        return _TRACER.start_as_current_span("infer", context=Context(), links=links, attributes=about)

    def _take(self) -> list[Request]:
        """Take the oldest requests, with at most 256 rows together."""
        reached = accumulate(len(request.rows) for request in self._waiting)
        count = max(sum(rows <= _MAX_ROWS for rows in reached), 1)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _answer(self, taken: Sequence[Request]) -> None:
        rows = sum(len(request.rows) for request in taken)
        began = time.monotonic()
        small, magnitude = rows <= _INLINE_ROWS, rows.bit_length()
        if small and self._seconds[magnitude] < _INLINE_SECONDS:
            found = self._score(taken)
        else:
            found = await asyncio.to_thread(self._score, taken)
        if small:
            self._seconds[magnitude] = found.seconds
        for request, error in found.errors:
            self._settle(request, error)
        if all(request.served.log_buffered for request in taken):
            self._buffered.add(found.scored, sum(request.size for request in taken))
            acknowledged = None
        else:
            acknowledged = self._publish(found.scored)
        answers = [(request, _encoded(request, answered)) for request, answered in found.answers]
        if acknowledged is not None:
            await acknowledged
        for request, answer in answers:
            self._settle(request, answer)
        self._pace = (time.monotonic() - began) / len(taken)

    def _score(self, taken: Sequence[Request]) -> _Found:
        groups: dict[tuple[int, int], list[Request]] = {}
        for request in taken:
            groups.setdefault((id(request.served), id(request.pinned)), []).append(request)
        found, began = _Found(), time.thread_time()
        for group in groups.values():
            found.extend(self._score_group(group))
        found.seconds = time.thread_time() - began
        return found

    def _score_group(self, group: Sequence[Request]) -> _Found:
        """Score requests to the same versions. If a row is refused, only its request is refused."""
        served, pinned = group[0].served, group[0].pinned
        try:
            rows = joined_rows.join([request.rows for request in group], served.schema)
            inference = self._infer(served, rows, pinned, sum(request.size for request in group))
        except Exception as error:  # noqa: BLE001 - a fault of ours, which the neighbours of the request don't share
            if len(group) == 1:
                return _Found(errors=[(group[0], error)])
            found = _Found()
            for request in group:
                found.extend(self._score_group([request]))
            return found
        if not inference.refused:
            return _Found([*inference.scored, *inference.silent], list(_divided(group, inference.scored)))
        if len(group) == 1:
            # There is no answer, but the log has the failures of the versions.
            costs = [part.without_rows() for part in (*inference.scored, *inference.silent)]
            return _Found(costs, errors=[(group[0], inference.refused[min(inference.refused)])])
        # Messages name the row of the request, so a request with refused rows is scored alone to get its messages.
        ends = list(accumulate(len(request.rows) for request in group))
        found, good, start = _Found(), [], 0
        for request, end in zip(group, ends, strict=True):
            if any(row in inference.refused for row in range(start, end)):
                found.extend(self._score_group([request]))
            else:
                good.append(request)
            start = end
        if good:
            found.extend(self._score_group(good))
        return found


def _encoded(request: Request, answered: Sequence[Answered]) -> Any:
    """Return the answer, or the exception of its encoding."""
    try:
        return request.encode(answered)
    except Exception as error:  # noqa: BLE001 - a fault of ours, which the neighbours of the request don't share
        return error


def _divided(group: Sequence[Request], scored: Sequence[Scored]) -> Iterator[tuple[Request, Sequence[Answered]]]:
    """Divide the result for the concatenated rows of several requests by request."""
    if len(group) == 1:
        yield group[0], [Answered(part.version, part.numbers, part.outputs) for part in scored]
        return
    start = 0
    for request in group:
        end = start + len(request.rows)
        yield request, list(_between(scored, start, end))
        start = end


def _between(scored: Sequence[Scored], start: int, end: int) -> Iterator[Answered]:
    for part in scored:
        whole = isinstance(part.numbers, range)
        kept: Any = slice(start, end) if whole else [n for n, row in enumerate(part.numbers) if start <= row < end]
        if whole or kept:
            numbers = range(end - start) if whole else [part.numbers[n] - start for n in kept]
            yield Answered(part.version, numbers, {name: values[kept] for name, values in part.outputs.items()})
