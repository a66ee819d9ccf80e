"""Runs a graph that was made elsewhere in a process of its own, within bounds of time and memory.

A graph may loop, ask for any amount of memory, or end the runtime by a fault in it. onnxruntime has a flag that ends a
run, but looks at it between two operators only, and not while it loads a graph.
"""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.given.errors import InvalidGraphError, RunFailedError, RunMemoryError, RunTimeoutError
from rondo.trainer.onnx_graph import isolated_runtime
from rondo.trainer.onnx_graph.errors import lacks_memory, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SECONDS, MEMORY_BYTES = 60.0, 4 * 1024**3


class IsolatedRun:
    """`given.model.RunGraph` with at most `threads` threads."""

    def __init__(self, threads: int, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._threads = threads
        self._seconds = seconds
        self._memory_bytes = memory_bytes

    def __call__(self, model: bytes, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        request = {
            "threads": self._threads,
            "cpu_seconds": int(self._seconds * self._threads) + 1,
            "memory_bytes": self._memory_bytes,
            "outputs": list(outputs),
            "feeds": list(feeds),
        }
        arrays = [np.frombuffer(model, np.uint8), *map(isolated_runtime.encoded, feeds.values())]
        # `-I` and no variables: it has no secret, and nothing changes what it imports.
        command = [sys.executable, "-I", "-m", isolated_runtime.__name__]
        try:
            ended = subprocess.run(  # noqa: S603 - a fixed command
                command,
                input=_written(request, arrays),
                capture_output=True,
                timeout=self._seconds,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RunTimeoutError(self._seconds) from error
        self._check(ended.returncode, ended.stderr)
        with np.load(BytesIO(ended.stdout), allow_pickle=False) as found:
            return [found[f"arr_{index}"] for index in range(len(outputs))]

    def _check(self, code: int, stderr: bytes) -> None:
        reason = reason_of(stderr.decode("utf-8", "replace"))
        if code and lacks_memory(reason):
            raise RunMemoryError(self._memory_bytes)
        if code == isolated_runtime.NOT_LOADED:
            raise InvalidGraphError(reason)
        if code:
            raise RunFailedError(reason if code == isolated_runtime.FAILED else f"its process ended with code {code}")


def _written(request: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, np.frombuffer(json.dumps(request).encode(), np.uint8), *arrays)
    return buffer.getvalue()
