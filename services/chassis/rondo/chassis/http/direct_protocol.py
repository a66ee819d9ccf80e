"""HTTP/1.1 whose small requests to chosen paths are answered without ASGI: no scope, task and coroutine for each.

These cost several times as much as the inference that a request asks for. Whatever is not usual (a large or compressed
body, a trace of the caller's, a pipelined request) goes to the ASGI application, and so does every request that the
handler does not take, such as one with an unknown token: the application refuses it and says why.

uvicorn's protocol sees a `DirectRequest` as the cycle of a request, which is what it calls its own exchange of request
and response: so its stop, its time-outs and its order of pipelined requests hold for both.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rondo.chassis import metrics
from rondo.chassis.http.bounded_protocol import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Histogram

Headers = list[tuple[bytes, bytes]]

# Larger ones gain little, and the ASGI application bounds what it has of them in memory.
MAX_BODY = 64 * 1024
# Each changes how a body is read or what is done around a request, which the ASGI application knows.
_UNUSUAL = frozenset((b"content-encoding", b"expect", b"traceparent", b"transfer-encoding", b"upgrade"))


class Handler(Protocol):
    """What answers direct requests. It authenticates them itself."""

    def wants(self, path: bytes) -> bool:
        """Return whether a POST of this path, which has no query, may be taken."""
        ...

    def take(self, request: DirectRequest, /) -> bool:
        """Answer a whole request, now or later. Return False, without any effect, to leave it to the application."""
        ...


class DirectRequest:
    """A request, and its response, which is sent once. `route` is its template for the metrics, set by the handler."""

    # uvicorn's protocol sets it where a client leaves. Nobody waits for it.
    message_event = asyncio.Event()

    def __init__(self, protocol: DirectProtocol, path: bytes, headers: Headers, *, keep_alive: bool) -> None:
        self.path, self.headers = path, headers
        self.body = b""
        self.route = ""
        self._protocol = protocol
        self._began = time.perf_counter()
        # Of a cycle, as uvicorn's protocol sees it. A stop clears `keep_alive`.
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False

    def respond(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Send the response, in one write. `headers` are those beside the length and the connection's."""
        self.response_complete, self.body = True, b""
        _duration(self.route, status).observe(time.perf_counter() - self._began)
        self._protocol.respond(self, status, headers, body)


@cache
def _duration(route: str, status: int) -> Histogram:
    return metrics.HTTP_REQUEST_SECONDS.labels("POST", route, str(status))


class DirectProtocol(BoundedProtocol):
    """Gives requests that the handler wants to it, and all others to the ASGI application."""

    def __init__(self, *arguments: Any, handler: Handler, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._handler = handler

    def on_headers_complete(self) -> None:
        if self._is_direct():
            self._size = 0
            keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
            self.cycle: Any = DirectRequest(self, self.url, self.headers, keep_alive=keep_alive)
        else:
            super().on_headers_complete()

    def _is_direct(self) -> bool:
        # A request before it that has no answer yet is answered first: uvicorn's queue is for its own cycles.
        if self.parser.get_method() != b"POST" or not (self.cycle is None or self.cycle.response_complete):
            return False
        # Nor is one taken while the client does not read its answers: the application waits until it does.
        if self.flow.write_paused or not self._handler.wants(self.url):
            return False
        sent = dict(self.headers)
        length = sent.get(b"content-length", b"")
        return length.isdigit() and int(length) <= MAX_BODY and _UNUSUAL.isdisjoint(sent)

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, DirectRequest):
            self._size = 0
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        request = self.cycle
        if not isinstance(request, DirectRequest):
            super().on_message_complete()
        elif not self._handler.take(request):
            self._leave(request)

    def _leave(self, request: DirectRequest) -> None:
        """Give a request to the application, whole."""
        self.cycle = None
        super().on_headers_complete()
        # A stop may have come between its headers and the end of its body.
        self.cycle.keep_alive = request.keep_alive
        if request.body:
            super().on_body(request.body)
        super().on_message_complete()

    def respond(self, request: DirectRequest, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Send the response to a direct request."""
        if self.transport.is_closing():
            return
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        if not request.keep_alive:
            lines.append(b"connection: close\r\n")
        end = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(b"".join((STATUS_LINE[status], *lines, end, body)))
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()
