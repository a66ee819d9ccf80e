"""HTTP/1.1 by httptools, with a limit on the bytes that a client sends outside of bodies.

httptools buffers a URL, a header or a trailer of any length until its end, before the client is authenticated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from rondo.chassis.http.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response

# The limit for the request line with the headers, for trailers, and for the bytes between two pieces of a body. uvicorn
# has the same limit with h11.
MAX_BYTES = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 and closes the connection if a client sends more than 64 KiB outside of a body."""

    _size = 0

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        super().data_received(data)
        if self._size > MAX_BYTES and not self.transport.is_closing():
            detail = f"the request has more than {MAX_BYTES:,} bytes beside its body: send a shorter URL and headers"
            self._refuse(problem(400, "headers_too_large", detail))

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that the parser can't read. There is no request yet, so no application can answer."""
        detail = f"{msg.rstrip('.')}: send HTTP/1.1, with a known method, valid headers and a URL of less than 64 KiB"
        self._refuse(problem(400, "malformed_http", detail))

    def _refuse(self, answer: Response) -> None:
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def on_headers_complete(self) -> None:
        self._size = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._size = 0
        super().on_message_complete()
