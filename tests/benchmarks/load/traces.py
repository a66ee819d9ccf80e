"""The receiver of a benchmark's spans: OTLP over HTTP on loopback, as for a collector on the same machine."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTED = "messaging.batch.message_count"


class Traces:
    """Receives spans, and counts the messages that the spans of micro-batches cover. If it is all, tracing was on."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def messages(self) -> int:
        """Return the number of messages that the spans since the last call cover. Spans are decoded only here."""
        bodies, self._bodies = self._bodies, []
        return sum(count for body in bodies for count in _counts(body))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = lambda: self._bodies  # noqa: E731 - `messages` replaces the list

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bodies().append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Log nothing: the output is the figures."""

        return Handler


def _counts(body: bytes) -> Iterator[int]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield from (a.value.int_value for a in span.attributes if a.key == _COUNTED)
