"""What a micro-batch leaves behind for people: a span, some counts, and a line when a new version first answers."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rondo.chassis.stream.records import headers_of
from rondo.chassis.telemetry import span
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.topics import BY_NAME
from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka import Message
    from numpy.typing import NDArray

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.loaded_version import Serving, Version
    from rondo.serving.stream.answer_batch import Answered

log = logging.getLogger(__name__)
# A span of thousands of links helps nobody: these many messages of a micro-batch are looked at.
_SAMPLED = 16
_RETENTION_SECONDS = BY_NAME[PredictionRequested.topic].retention.total_seconds()
_PROPAGATOR = TraceContextTextMapPropagator()


class BatchTelemetry:
    """Collects while a micro-batch is answered, and tells once it is committed: what was aborted is not counted."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("rondo")
        self._known: set[tuple[str, int, str, int]] = set()
        self._span: trace.Span | None = None
        self._clear()

    def _clear(self) -> None:
        self._stamps: list[int] = []
        self._answers: list[tuple[Serving, Version, int]] = []
        self._refusals: Counter[str] = Counter()

    def begin(self, messages: Sequence[Message]) -> None:
        """Open the span of a micro-batch; a span that is still open is of one that was aborted."""
        if self._span is not None:
            self._span.set_status(trace.StatusCode.ERROR, "aborted")
            self._span.end()
        self._clear()
        self._stamps = [message.timestamp()[1] for message in messages]
        self._span = self._tracer.start_span(
            "process predictions.requested", kind=trace.SpanKind.CONSUMER, links=_links(messages[:_SAMPLED]),
            attributes={"messaging.system": "kafka", "messaging.destination.name": "predictions.requested",
                        "messaging.batch.message_count": len(messages)},
        )  # fmt: skip

    def answered(self, answered: Answered) -> None:
        """Take note of what one version answered."""
        self._answers.append((answered.serving, answered.version, len(answered.places)))

    def refused(self, errors: Iterable[RequestRefusedError]) -> None:
        """Take note of what was refused, and why."""
        self._refusals.update(error.code for error in errors)

    def committed(self, at: float) -> None:
        """Count and end; `at` is in seconds since the epoch."""
        for serving, version, rows in self._answers:
            metrics.PREDICTIONS.labels(version.model, str(version.model_version), "answered").inc(rows)
            metrics.BATCH_ROWS.labels(version.model).observe(rows)
            self._greet(serving, version)
        for code, rows in self._refusals.items():
            # Without the model: requests may make up any number of names.
            metrics.PREDICTIONS.labels("", "", code).inc(rows)
        waited = at - np.array(self._stamps) / 1000
        metrics.END_TO_END_SECONDS.observe(believed := believable(waited))
        metrics.STAMPS_IGNORED.inc(len(waited) - len(believed))
        if self._span is not None:
            self._span.end()
            self._span = None

    def _greet(self, serving: Serving, version: Version) -> None:
        """End the trace that began with whatever led to this version: its first prediction is visible."""
        key = (version.model, version.model_version, version.digest, serving.revision)
        if key in self._known:
            return
        self._known.add(key)
        with span(
            "first prediction", serving.traceparent, trace.SpanKind.PRODUCER,
            model=version.model, model_version=version.model_version, revision=serving.revision,
        ):  # fmt: skip
            log.info(
                "the first prediction of version %d of %s is out", version.model_version, version.model,
                extra={"model": version.model, "model_version": version.model_version, "revision": serving.revision},
            )  # fmt: skip


def believable(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the waits that can be true. The stamps are the producers': one wrong clock would spoil the sum for good.

    A request older than its topic keeps any was not waiting for us, and none was answered before it was sent.
    """
    return seconds[(seconds >= 0) & (seconds <= _RETENTION_SECONDS)]


def _links(messages: Sequence[Message]) -> list[trace.Link]:
    carriers = (dict(headers_of(message)) for message in messages)
    parents = [value.decode(errors="replace") for carrier in carriers if (value := carrier.get("traceparent"))]
    contexts = (trace.get_current_span(_PROPAGATOR.extract({"traceparent": p})).get_span_context() for p in parents)
    return [trace.Link(context) for context in contexts if context.is_valid]
