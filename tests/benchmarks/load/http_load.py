"""A closed loop of HTTP requests over connections that stay open. It runs in a separate process.

Run as `python -m tests.benchmarks.load.http_load <port> <path> <token> <connections> <seconds>`. It prints
`<requests/s> <p50 ms> <p99 ms>` and the number of all answers, including those of the warm-up. It exits with an error
if any answer is not a 200.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from tests.benchmarks.load import timed_connections

FEATURES = 20
# The paths of an exported Bento and of an API of BentoML, which have their own bodies. All other paths have the body of
# the Open Inference Protocol.
BENTO_PATH, SCORE_PATH = "/predict", "/score"


def request(path: str, token: str) -> bytes:
    """Return the bytes of a request: one row of 20 features."""
    row = {f"f{n}": round(0.37 * n - 3, 4) for n in range(FEATURES)}
    inputs = [{"name": name, "shape": [1, 1], "datatype": "FP32", "data": [value]} for name, value in row.items()]
    bodies: dict[str, Any] = {BENTO_PATH: {"rows": [row]}, SCORE_PATH: {"rows": [list(row.values())]}}
    body = json.dumps(bodies.get(path, {"inputs": inputs})).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """Sends a request, and the next after its answer is complete. `took` has the seconds of each."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._received, self._sent = b"", 0.0
        self.took: list[float] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Receive a part of an answer."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < size:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.ended.set_exception(RuntimeError(self._received.decode()))
            return
        self.took.append(time.perf_counter() - self._sent)
        self._received = b""
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        """Fail, because no server closes a connection that is in use."""
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the server closed a connection"))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self.transport.write(self._content)


async def measure(port: int, content: bytes, connections: int, seconds: float) -> timed_connections.Figures:
    return await timed_connections.measure(port, lambda: Connection(content), connections, seconds)


def main(port: str, path: str, token: str, connections: str, seconds: str) -> None:
    timed_connections.main(measure(int(port), request(path, token), int(connections), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
