"""HTTP/1.1 that answers small requests to chosen paths without ASGI: without a scope, a task and a coroutine for each.

These cost several times as much as the inference of a request. Unusual requests (a large or compressed body, a trace
context, a pipelined request) go to the ASGI application. So does every request that the handler does not take, for
example with an unknown token: the application refuses it with the reason.

uvicorn calls an exchange of request and response a cycle. Its protocol handles a `DirectRequest` as a cycle, so its
stop, its timeouts and its order of pipelined requests apply to both.
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

# Larger bodies gain little, and the ASGI application limits their size in memory.
MAX_BODY = 64 * 1024
# Each of these headers changes the reading of a body or the handling of a request. The ASGI application supports them.
_UNUSUAL = frozenset((b"content-encoding", b"expect", b"traceparent", b"transfer-encoding", b"upgrade"))


class Handler(Protocol):
    """Answers direct requests. It authenticates them itself."""

    def wants(self, path: bytes) -> bool:
        """Return whether a POST of this path, which has no query, may be taken."""
        ...

    def take(self, request: DirectRequest, /) -> bool:
        """Answer a complete request, now or later. Return False, without any effect, to leave it to the application."""
        ...


class DirectRequest:
    """A request and its only response. The handler sets `route`, the template of the path, for the metrics."""

    # uvicorn's protocol sets it when a client disconnects. Nothing waits for it.
    message_event = asyncio.Event()

    def __init__(self, protocol: DirectProtocol, path: bytes, headers: Headers, *, keep_alive: bool) -> None:
        self.path, self.headers = path, headers
        self.body = b""
        self.route = ""
        self._protocol = protocol
        self._began = time.perf_counter()
        # The attributes that uvicorn's protocol uses of a cycle. A stop clears `keep_alive`.
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False

    def respond(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Send the response in one write. `headers` are those besides `content-length` and `connection`."""
        self.response_complete, self.body = True, b""
        _duration(self.route, status).observe(time.perf_counter() - self._began)
        self._protocol.respond(self, status, headers, body)


@cache
def _duration(route: str, status: int) -> Histogram:
    return metrics.HTTP_REQUEST_SECONDS.labels("POST", route, str(status))


class DirectProtocol(BoundedProtocol):
    """Gives the handler the requests that it wants, and the ASGI application all others."""

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
        # If an earlier request has no answer yet, it must be answered first, and only uvicorn's cycles can be queued.
        if self.parser.get_method() != b"POST" or not (self.cycle is None or self.cycle.response_complete):
            return False
        # If the client does not read its answers, the application takes the request, because it waits for the client.
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
        """Give a complete request to the application."""
        self.cycle = None
        super().on_headers_complete()
        # A stop may have occurred between its headers and the end of its body.
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
