"""Telemetry of micro-batches: a span, counters, and one log line for the first answer of a new version."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rondo.chassis.kafka_records import headers_of
from rondo.chassis.telemetry import span
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.topics import BY_NAME
from rondo.serving import metrics
from rondo.serving.requests.unknown_names import report_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from confluent_kafka import Message
    from numpy.typing import NDArray

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.inference.scored import Scored
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.requests.unknown_names import UnknownName

log = logging.getLogger(__name__)
# A span with thousands of links is of no use, so only this many messages of a micro-batch are linked.
_LINKED_MESSAGES = 16
_RETENTION_SECONDS = BY_NAME[PredictionRequested.topic].retention.total_seconds()
_PROPAGATOR = TraceContextTextMapPropagator()


class StreamTelemetry:
    """Creates reports of micro-batches, and knows the versions that have answered before."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("rondo")
        self._answered_before: set[tuple[str, int, str, int]] = set()

    def begin(self, messages: Sequence[Message]) -> BatchReport:
        """Start the span of a micro-batch."""
        started = self._tracer.start_span(
            "process predictions.requested", kind=trace.SpanKind.CONSUMER, links=_links(messages[:_LINKED_MESSAGES]),
            attributes={"messaging.system": "kafka", "messaging.destination.name": "predictions.requested",
                        "messaging.batch.message_count": len(messages)},
        )  # fmt: skip
        return BatchReport(started, [message.timestamp()[1] for message in messages], self._answered_before)


@dataclass(slots=True)
class BatchReport:
    """Collects figures while a micro-batch is answered, and reports them after the commit. Aborted ones do not count.

    `timestamps` are those of the messages in milliseconds.
    """

    span: trace.Span
    timestamps: list[int]
    answered_before: set[tuple[str, int, str, int]]
    _answers: list[tuple[ServedModel, LoadedVersion, int]] = field(default_factory=list)
    _refusals: Counter[str] = field(default_factory=Counter)
    _repeated: Counter[str] = field(default_factory=Counter)
    _warned: list[tuple[str, Sequence[UnknownName]]] = field(default_factory=list)
    _left: set[int] = field(default_factory=set)

    def leave(self, places: Collection[int]) -> None:
        """Remove the messages at these places of the micro-batch, which are answered later."""
        self._left |= set(places)

    def answered(self, served: ServedModel, scored: Scored) -> None:
        self._answers.append((served, scored.version, len(scored.rows)))

    def repeated(self, model: str, rows: int) -> None:
        self._repeated[model] += rows

    def warned(self, model: str, names: Sequence[UnknownName]) -> None:
        self._warned.append((model, names))

    def refused(self, errors: Iterable[RequestRefusedError]) -> None:
        self._refusals.update(error.code for error in errors)

    def aborted(self) -> None:
        self.span.set_status(trace.StatusCode.ERROR, "aborted")
        self.span.end()

    def committed(self, at: float) -> None:
        """Count, and end the span. `at` is in seconds since the epoch."""
        for served, version, rows in self._answers:
            metrics.PREDICTIONS.labels(version.model, str(version.model_version), "answered").inc(rows)
            metrics.BATCH_ROWS.labels(version.model).observe(rows)
            self._trace_first_prediction(served, version)
        for code, rows in self._refusals.items():
            # Without the model as label, because requests may name any number of models.
            metrics.PREDICTIONS.labels("", "", code).inc(rows)
        for model, rows in self._repeated.items():
            metrics.PREDICTIONS.labels(model, "", "repeated").inc(rows)
        for model, names in self._warned:
            report_unknown(model, names)
        stamps = self.timestamps
        if self._left:
            stamps = [stamp for place, stamp in enumerate(stamps) if place not in self._left]
        waited = at - np.array(stamps) / 1000
        metrics.END_TO_END_SECONDS.observe(valid := plausible(waited))
        metrics.TIMESTAMPS_IGNORED.inc(len(waited) - len(valid))
        self.span.end()

    def _trace_first_prediction(self, served: ServedModel, version: LoadedVersion) -> None:
        """End the trace that led to this version, so that its first prediction is visible."""
        key = (version.model, version.model_version, version.digest, served.revision)
        if key in self.answered_before:
            return
        self.answered_before.add(key)
        with span(
            "first prediction", served.traceparent, trace.SpanKind.PRODUCER,
            model=version.model, model_version=version.model_version, revision=served.revision,
        ):  # fmt: skip
            log.info(
                "version %d of %s answers for the first time", version.model_version, version.model,
                extra={"model": version.model, "model_version": version.model_version, "revision": served.revision},
            )  # fmt: skip


def plausible(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the possible waiting times. Clients set the timestamps, and one wrong clock would distort the sum.

    A request is not older than its topic's retention, and is not answered before it is sent.
    """
    return seconds[(seconds >= 0) & (seconds <= _RETENTION_SECONDS)]


def _links(messages: Sequence[Message]) -> list[trace.Link]:
    carriers = (dict(headers_of(message)) for message in messages)
    parents = [value.decode(errors="replace") for carrier in carriers if (value := carrier.get("traceparent"))]
    contexts = (trace.get_current_span(_PROPAGATOR.extract({"traceparent": p})).get_span_context() for p in parents)
    return [trace.Link(context) for context in contexts if context.is_valid]
