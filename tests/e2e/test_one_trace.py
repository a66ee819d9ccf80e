"""One trace: from the window that drifted, through all the services, to the first prediction of the new version."""

from __future__ import annotations

import asyncio
import gzip
import threading
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rondo.client import AsyncRondo, Connection
from rondo.contracts.events.predictions import PredictionRequested
from rondo.embedded.stack import Stack

from tests.e2e import small_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The work of each service between the drift and the prediction, by the names of its spans.
STEPS = [
    ("rondo-monitor", "evaluate"),
    ("rondo-trainer", "process drift.detected"),
    ("rondo-trainer", "train"),
    ("rondo-registry", "process models.trained"),
    ("rondo-serving", "follow deployments.changed"),
    ("rondo-serving", "first prediction"),
]


@dataclass(frozen=True)
class Span:
    """A span as the collector received it, with its ids in hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


@pytest.mark.timeout(180)
@pytest.mark.slow
async def test_one_trace_runs_from_the_drifted_window_to_the_first_prediction_of_the_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as (endpoint, spans):
        monkeypatch.setenv("RONDO_OTLP_ENDPOINT", endpoint)
        async with Stack(tmp_path / "my data ü") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
            await rondo.apply(small_model.SPEC)
            await rondo.publish(small_model.DATASET, "first", small_model.rides(1_000), small_model.PARQUET)
            await small_model.until_served(rondo)
            promoted = asyncio.create_task(next_promotion(rondo))
            for day in range(31, 34):
                await day_of_one_zone(rondo, day)
            assert await asyncio.wait_for(promoted, 60) == 2
            async with asyncio.timeout(30):
                while (await rondo.predict(small_model.MODEL, {"zone": "a", "distance": 1.0})).model_version < 2:
                    pass  # each answer takes its time
    # A window that closed while the training waited for a processor also drifts, and its training is skipped.
    drifts = {span.trace_id for span in spans if span.name == "process drift.detected"}
    (answered,) = drifts & {span.trace_id for span in spans if span.name == "first prediction"}
    in_trace = [span for span in spans if span.trace_id == answered]
    assert [(each.service, each.name) for each in ancestry(in_trace, "first prediction")] == STEPS


def ancestry(in_trace: list[Span], name: str) -> list[Span]:
    """Return the span of this name and its ancestors, the first ancestor first."""
    by_id = {each.span_id: each for each in in_trace}
    line = [next(each for each in in_trace if each.name == name)]
    while line[0].parent_id in by_id:
        line.insert(0, by_id[line[0].parent_id])
    return line


async def next_promotion(rondo: AsyncRondo) -> int:
    """Return the next version that becomes champion."""
    async with aclosing(rondo.watch("models.promoted")) as promotions:
        async for envelope in promotions:
            version: int = envelope.data.model_version
            return version
    raise AssertionError


async def day_of_one_zone(rondo: AsyncRondo, day: int) -> None:
    """Send requests and outcomes from only one of the two zones. Each day is a window, and the next day closes it."""
    start = small_model.START + timedelta(days=day)
    times = {f"d{day}-{number}": start + timedelta(minutes=7 * number) for number in range(200)}
    requests = [
        PredictionRequested(
            id=id_, model=small_model.MODEL, event_time=at, features={"zone": "a", "distance": at.minute % 10}
        )
        for id_, at in times.items()
    ]
    async with aclosing(rondo.stream(requests)) as answers:
        assert len([answer async for answer in answers]) == len(requests)
    for request in requests:
        assert request.event_time is not None
        tipped = int(request.features["distance"] > 4)
        await rondo.send_outcome(small_model.MODEL, tipped, request.event_time + timedelta(minutes=30), id=request.id)


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Receive spans like an OpenTelemetry collector (OTLP over HTTP). Yield its address and the spans."""
    spans: list[Span] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            spans.extend(spans_of(ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        names = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for each in scope.spans:
                ids = (each.trace_id.hex(), each.span_id.hex(), each.parent_span_id.hex())
                yield Span(names["service.name"], each.name, *ids)
