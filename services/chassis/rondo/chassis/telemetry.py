"""JSON logs with trace ids, and traces that are propagated in Kafka headers (W3C Trace Context)."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.context import Context

    from rondo.chassis.settings import ServiceSettings

_NUMBERS = re.compile(r"\d+")
_MAX_KINDS = 1_000
_PROPAGATOR = TraceContextTextMapPropagator()
# It uses the provider that `set_up` sets later.
_TRACER = trace.get_tracer("rondo")
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line: time, level, logger, message, trace and span id, and the fields of `extra`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        context = trace.get_current_span().get_span_context()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **(
                {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
                if context.is_valid
                else {}
            ),
            **{key: value for key, value in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class RateLimitFilter(logging.Filter):
    """Passes one record of a library, then no similar one for `seconds`. Rondo's own records always pass.

    A library without a connection to its server logs each attempt, hundreds per second. Records are similar if they
    have the same logger and the same text apart from numbers. The next record that passes has the number of suppressed
    ones.
    """

    def __init__(self, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes, and set its `held_back` to the number of similar ones that did not."""
        if record.name.startswith("rondo.") and record.name != "rondo.faststream":
            return True
        kind, now = (record.name, _NUMBERS.sub("#", record.getMessage())), self._clock()
        since, held_back = self._said.get(kind, (-self._seconds, 0))
        if now - since < self._seconds:
            self._said[kind] = since, held_back + 1
            return False
        if len(self._said) >= _MAX_KINDS:
            self._said.clear()
        self._said[kind] = now, 0
        if held_back:
            record.held_back = held_back
        return True


def set_up(settings: ServiceSettings) -> None:
    """Send logs to standard error as JSON, and spans to `otlp_endpoint` if it is set."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(settings.service))
    handler.addFilter(RateLimitFilter())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for talkative in ("aiokafka", "httpx", "rondo.faststream", "uvicorn"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # It logs a traceback for each attempt to reconnect. `/readyz` and Rondo's log report the outage.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    resource = Resource.create({"service.name": f"rondo-{settings.service}", "service.instance.id": settings.instance})
    provider = TracerProvider(resource=resource)
    if settings.otlp_endpoint:
        # The import costs half a second and 20 MB, so only services that send traces do it.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@contextmanager
def span(
    name: str, traceparent: str | None = None, kind: trace.SpanKind = trace.SpanKind.INTERNAL, **attributes: str | int
) -> Iterator[trace.Span]:
    """Open a span: under the remote `traceparent`, or under the current span if that has the same trace."""
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    if parent is not None and _trace_id(parent) == _trace_id(None):
        parent = None
    with _TRACER.start_as_current_span(name, context=parent, kind=kind, attributes=dict(attributes)) as current:
        yield current


def _trace_id(context: Context | None) -> int:
    return trace.get_current_span(context).get_span_context().trace_id


def current_traceparent() -> str | None:
    """Return the `traceparent` header of the current span. None outside of a span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def messaging_attributes(topic: str, headers: Mapping[str, str]) -> dict[str, str | int]:
    """Return a span's attributes by the OpenTelemetry messaging conventions."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.message.id": headers.get("ce_id", ""),
    }
