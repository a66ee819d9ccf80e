"""The limit that `rest.py` measures against: the same inference on a bare server.

An ASGI application on granian that decodes the same request of the Open Inference Protocol into one column per feature,
runs the same graph and encodes the score. No token, no checks of values, no inference log, no metrics, no traces. The
interpreter of `environment.py` runs it: nothing of Rondo is there.
Run as `python rest_granian.py <model> <port>`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from granian import Granian

_MODEL = "RONDO_BENCH_MODEL"


class Tensor(msgspec.Struct):
    """One input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferenceRequest(msgspec.Struct):
    """The body."""

    inputs: list[Tensor]


_decode = msgspec.json.Decoder(InferenceRequest).decode
_HEADERS = [(b"content-type", b"application/json")]


class App:
    """The application. The model is loaded with the first request."""

    def __init__(self) -> None:
        self._session: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer an inference, whatever the path."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer = self._infer(body)
        headers = [*_HEADERS, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _infer(self, body: bytes) -> bytes:
        feeds = {t.name: np.array(t.data, dtype=np.float32).reshape(-1, 1) for t in _decode(body).inputs}
        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            content = Path(os.environ[_MODEL]).read_bytes()
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        scores = self._session.run(None, feeds)[0].reshape(-1).tolist()
        output = {"name": "score", "shape": [len(scores), 1], "datatype": "FP32", "data": scores}
        return msgspec.json.encode({"model_name": "bench", "outputs": [output]})


app = App()


def main(model: str, port: str) -> None:
    """Serve until stopped."""
    os.environ[_MODEL] = model
    server: Any = Granian(
        "rest_granian:app", address="127.0.0.1", port=int(port), interface="asgi", log_enabled=False, websockets=False
    )
    server.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
