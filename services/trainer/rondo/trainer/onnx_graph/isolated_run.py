"""Runs a graph that was made elsewhere in a separate process, within bounds of time and memory.

A graph may loop, request any amount of memory, or crash the runtime. onnxruntime has a flag that ends a run, but checks
it only between two operators, and not while it loads a graph.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.external_models.errors import (
    InvalidGraphError,
    OutputTooLargeError,
    RunFailedError,
    RunMemoryError,
    RunTimeoutError,
)
from rondo.trainer.onnx_graph import isolated_runtime
from rondo.trainer.onnx_graph.errors import lacks_memory, reason_of
from rondo.trainer.onnx_graph.fork_server import FORKS, ForkServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SECONDS, MOST_MEMORY_BYTES = 60.0, 4 * 1024**3
# A prediction has a column for each class. The shape of a wider output is reported as an error, up to this width.
_MAX_WIDTH, _ITEM_BYTES, _HEADER_BYTES = 1_000, 8, 64 * 1024
_MESSAGE_BYTES = 64 * 1024
# The memory limits of control groups, versions 2 and 1. Without a limit the file is missing, or has "max" or a huge
# number.
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bound(limits: Sequence[Path] = _CGROUP_LIMITS) -> int:
    """Return the number of bytes that a run may use: half of the container's memory, so that the trainer survives."""
    found = [path.read_text().strip() for path in limits if path.is_file()]
    return min([MOST_MEMORY_BYTES, *(int(limit) // 2 for limit in found if limit.isdigit())])


class IsolatedRun:
    """`external_models.model.RunGraph` with at most `threads` threads."""

    def __init__(
        self, threads: int, seconds: float = SECONDS, memory_bytes: int | None = None, forks: ForkServer = FORKS
    ) -> None:
        self._threads = threads
        self._seconds = seconds
        self._forks = forks
        self._memory_bytes = memory_bound() if memory_bytes is None else memory_bytes

    def __call__(self, model: bytes, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        rows = max(map(len, feeds.values()), default=0)
        output_bytes = rows * _MAX_WIDTH * _ITEM_BYTES * len(outputs) + _HEADER_BYTES
        request = {
            "threads": self._threads,
            "cpu_seconds": int(self._seconds * self._threads) + 1,
            "memory_bytes": self._memory_bytes,
            "output_bytes": output_bytes,
            "outputs": list(outputs),
            "feeds": list(feeds),
        }
        arrays = [np.frombuffer(model, np.uint8), *map(isolated_runtime.encoded, feeds.values())]
        # Files are used, because this process would have to read a pipe into its memory while the other one runs.
        with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as messages:
            _write(given, request, arrays)
            try:
                code = self._forks.run((given, output, messages), self._seconds)
            except TimeoutError as error:
                raise RunTimeoutError(self._seconds) from error
            if code == isolated_runtime.TOO_LARGE or _size(output) > output_bytes:
                raise OutputTooLargeError(output_bytes, rows)
            self._check(code, _end_of(messages))
            output.seek(0)
            with np.load(output, allow_pickle=False) as found:
                return [found[f"arr_{index}"] for index in range(len(outputs))]

    def _check(self, code: int, stderr: bytes) -> None:
        reason = reason_of(stderr.decode("utf-8", "replace"))
        # The kernel kills a process if the memory of the container or of the machine is exhausted.
        if code == -signal.SIGKILL or (code and lacks_memory(reason)):
            raise RunMemoryError(self._memory_bytes)
        if code == -signal.SIGXCPU:
            raise RunTimeoutError(self._seconds)
        if code == isolated_runtime.NOT_LOADED:
            raise InvalidGraphError(reason)
        if code:
            raise RunFailedError(reason if code == isolated_runtime.FAILED else f"its process ended with code {code}")


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _end_of(messages: IO[bytes]) -> bytes:
    messages.seek(max(0, _size(messages) - _MESSAGE_BYTES))
    return messages.read()


def _write(file: IO[bytes], request: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> None:
    np.savez(file, np.frombuffer(json.dumps(request).encode(), np.uint8), *arrays)
    file.seek(0)
