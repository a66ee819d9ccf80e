"""A closed loop of inferences over gRPC, on connections that stay open. It runs in a separate process.

It writes and reads the frames of HTTP/2 (RFC 9113) itself, because a client on `grpc.aio` takes as much processor time
as the measured server. All requests are the same, so the first on a connection puts its headers into the dynamic table
of HPACK (RFC 7541), and each later one names them there, as a client of gRPC does. The status of an answer is in its
trailers, compressed, and is not decoded: a refusal is an answer without a message. `tables/grpc.py` compares one answer
with its score before.

Run as `python -m tests.benchmarks.load.grpc_load <port> <token> <connections> <streams> <seconds>`. It prints
`<requests/s> <p50 ms> <p99 ms>` and the number of all answers, including those of the warm-up. It exits with an error
if any answer has no message.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from typing import Any

import numpy as np
from rondo.serving.grpc.messages import message_class

from tests.benchmarks.load import timed_connections

METHOD, MODEL = "/inference.GRPCInferenceService/ModelInfer", "bench"
FEATURES = 20
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
_INITIAL_WINDOW_SIZE = 0x4
_WINDOW, _LARGEST_WINDOW = 65_535, 2**31 - 1
# The first entry of the dynamic table comes after those of the static one.
_DYNAMIC = 62
_SHORT = 127


def row() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the values of the features."""
    return np.array([round(0.37 * n - 3, 4) for n in range(FEATURES)], dtype=np.float32)


def message() -> bytes:
    """Return a `ModelInferRequest` with one row in raw contents."""
    request = message_class("inference.ModelInferRequest")(model_name=MODEL)
    for number, value in enumerate(row()):
        request.inputs.add(name=f"f{number}", datatype="FP32", shape=[1, 1])
        request.raw_input_contents.append(value.tobytes())
    content: bytes = request.SerializeToString()
    return content


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_blocks(token: str) -> tuple[bytes, bytes]:
    """Return the headers as literals that enter the dynamic table, and as indexes into it."""
    headers = {
        ":method": "POST", ":scheme": "http", ":path": METHOD, ":authority": "127.0.0.1", "te": "trailers",
        "content-type": "application/grpc", "authorization": f"Bearer {token}",
    }  # fmt: skip
    literals = b"".join(b"\x40" + _text(name) + _text(value) for name, value in headers.items())
    # The newest entry comes first.
    return literals, bytes(0x80 | _DYNAMIC + place for place in reversed(range(len(headers))))


def _text(value: str) -> bytes:
    if len(value) >= _SHORT:
        raise ValueError(value)
    return bytes([len(value)]) + value.encode()


class Connection(asyncio.Protocol):
    """Keeps `streams` requests open. `took` has the seconds of each answered request."""

    def __init__(self, content: bytes, blocks: tuple[bytes, bytes], streams: int) -> None:
        self._message = b"\x00" + struct.pack(">I", len(content)) + content
        self._blocks, self._streams = blocks, streams
        self._received, self._window, self._number = b"", _WINDOW, -1
        self._unsent = 0
        # By stream: the time of sending, and true if its message has arrived.
        self._sent: dict[int, float] = {}
        self._answered: set[int] = set()
        self.took: list[float] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first requests."""
        self.transport: Any = transport
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = frame(SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, _LARGEST_WINDOW))
        window = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _WINDOW))
        self._unsent = self._streams
        self.transport.write(b"".join([preface, settings, window, *self._requests()]))

    def data_received(self, data: bytes) -> None:
        """Receive frames, and send a request for each stream that has ended."""
        received, place, written = self._received + data, 0, []
        while len(received) >= place + 9:
            size = int.from_bytes(received[place : place + 3])
            if len(received) < place + 9 + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", received, place + 3)
            place += 9 + size
            if kind in (DATA, HEADERS):
                self._take(kind, flags, stream)
            else:
                written += self._control(kind, flags, stream, received[place - size : place])
        self._received = received[place:]
        written += self._requests()
        if written:
            self.transport.write(b"".join(written))

    def connection_lost(self, _: Exception | None) -> None:
        self._fail("the server closed a connection")

    def _take(self, kind: int, flags: int, stream: int) -> None:
        if kind == DATA:
            self._answered.add(stream)
        if flags & END_STREAM:
            self.took.append(time.perf_counter() - self._sent.pop(stream))
            if stream not in self._answered:
                self._fail("an answer has no message")
            self._answered.discard(stream)
            self._unsent += 1

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> list[bytes]:
        if kind in (RST_STREAM, GOAWAY):
            self._fail(f"the server ends a stream or the connection: {payload!r}")
        elif kind == WINDOW_UPDATE and not stream:
            # The window of a stream has room for its one small request.
            self._window += int.from_bytes(payload)
        elif kind in (SETTINGS, PING) and not flags & ACK:
            return [frame(kind, ACK, 0, payload if kind == PING else b"")]
        return []

    def _requests(self) -> list[bytes]:
        """Return as many requests as the window of the connection has room for."""
        made = []
        while self._unsent and self._window >= len(self._message):
            self._number += 2
            self._window, self._unsent = self._window - len(self._message), self._unsent - 1
            made.append(frame(HEADERS, END_HEADERS, self._number, self._blocks[self._number > 1]))
            made.append(frame(DATA, END_STREAM, self._number, self._message))
            self._sent[self._number] = time.perf_counter()
        return made

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError(why))


async def measure(port: int, token: str, connections: int, streams: int, seconds: float) -> timed_connections.Figures:
    content, blocks = message(), header_blocks(token)
    return await timed_connections.measure(port, lambda: Connection(content, blocks, streams), connections, seconds)


def main(port: str, token: str, connections: str, streams: str, seconds: str) -> None:
    timed_connections.main(measure(int(port), token, int(connections), int(streams), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
