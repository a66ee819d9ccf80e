"""HTTP/1.1 by httptools, with a bound of what a client sends before it has a right to anything.

httptools keeps an URL, a header or a trailer until its end, however long it is, and that is before authentication.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Of the request line with the headers, of trailers, or between two pieces of a body; uvicorn's own bound with h11.
MAX_BYTES = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 and closes the connection where a client sends more than 64 KiB that are no part of a body."""

    _size = 0

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        super().data_received(data)
        if self._size > MAX_BYTES and not self.transport.is_closing():
            self.send_400_response(f"the headers are larger than {MAX_BYTES:,} bytes: send shorter ones")

    def on_headers_complete(self) -> None:
        self._size = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._size = 0
        super().on_message_complete()
