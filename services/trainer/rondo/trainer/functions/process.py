"""Runs a user's function in a separate process.

The process has none of the trainer's settings and credentials in its environment, imports the package each time, and
can be killed: a function that does not return, exits or crashes ends its run, and not the worker. This protects
against mistakes. It is no sandbox.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.tasks.multiclass import MAX_CLASSES
from rondo.trainer.external_models.document import MAX_BYTES
from rondo.trainer.external_models.errors import ModelTooLargeError
from rondo.trainer.functions.errors import (
    FunctionDiedError,
    FunctionFailedError,
    FunctionMissingError,
    FunctionModelError,
    FunctionTimeoutError,
    ModuleMissingError,
    NameTakenError,
    NoModelError,
    NoPredictionsError,
)
from rondo.trainer.functions.exchange import read_answer
from rondo.trainer.settings import environment_without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from io import FileIO

    from numpy.typing import NDArray

    from rondo.trainer.errors import TrainingImpossibleError
    from rondo.trainer.functions.exchange import Request
    from rondo.trainer.functions.packages import Package

# The bytes of an answer: a model, its JSON, and predictions.
_MAX_ANSWER_BYTES = MAX_BYTES + (65 << 20)
_PART = 1 << 20
_POLL_SECONDS = 0.1
# A fixed hash seed makes the order of sets of texts the same in each training.
_REPEATABLE = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class _Process:
    """A process in its own process group. `timed_out` is True if it had to be killed."""

    popen: subprocess.Popen[bytes]
    timed_out: bool = False

    def end_late(self) -> None:
        self.timed_out = True
        self.end()

    def end(self) -> None:
        """Kill it, and the processes that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)


@dataclass(frozen=True, eq=False)
class Returned:
    """The bytes of the ONNX model that a function returned, and its own predictions of the compared rows, if any."""

    model: bytes
    predictions: NDArray[np.float32] | None


def run_function(package: Package, function: str, request: Request, seconds: float) -> Returned:
    """Return the result of a function of the package.

    Raises:
        TrainingImpossibleError: the function returned no model within `seconds`. It is one of `functions.errors`.

    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as answers:
        command = [sys.executable, "-P", "-m", "rondo.trainer.functions", str(writing)]
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.PIPE,
                stdout=2,  # to the log, like its errors
                pass_fds=(writing,),
                env=environment_without_secrets() | _REPEATABLE,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        process = _Process(popen)
        timer = threading.Timer(seconds, process.end_late)
        timer.start()
        try:
            content = _answer(popen, answers, package, function, request)
            answers.close()  # a process that still writes gets an error
            exit_code = popen.wait()
        finally:
            timer.cancel()
            process.end()
            popen.wait()
    answer = read_answer(content)
    if answer is not None:
        found, content = answer
        if found["end"] != "model":
            raise _error(found, package, function)
        if (size := found["bytes"]) > MAX_BYTES:
            raise FunctionModelError(function, ModelTooLargeError.code, str(ModelTooLargeError(size, MAX_BYTES)))
        if (returned := _returned(content, size, found["predictions"], function)) is not None:
            return returned
    if process.timed_out:
        raise FunctionTimeoutError(function, seconds)
    raise FunctionDiedError(function, exit_code)


def _returned(content: bytes, size: int, shape: Sequence[int] | None, function: str) -> Returned | None:
    """Return the model of an answer and the predictions of this shape. None if the answer is cut."""
    if shape is None:
        return Returned(content, None) if len(content) == size else None
    if (width := math.prod(shape[1:])) > MAX_CLASSES:
        raise NoPredictionsError(function, f"an array of {width:,} columns")
    if len(content) != size + math.prod(shape) * np.dtype(np.float32).itemsize:
        return None
    return Returned(content[:size], np.frombuffer(content, np.float32, offset=size).reshape(shape))


def _answer(
    popen: subprocess.Popen[bytes], answers: FileIO, package: Package, function: str, request: Request
) -> bytes:
    assert popen.stdin is not None  # noqa: S101 - it is a pipe
    # The pipe breaks if the process ends before it has read everything. Its exit code is evaluated below.
    with suppress(BrokenPipeError):
        request.write(popen.stdin, str(package.import_from.absolute()), function)
    content = _read_until_exit(popen, answers)
    with suppress(BrokenPipeError):
        popen.stdin.close()
    return content


def _read_until_exit(popen: subprocess.Popen[bytes], answers: FileIO) -> bytes:
    """Return the answer of the process, at most the first `_MAX_ANSWER_BYTES` bytes.

    The pipe may stay open after the exit, because a process that the function has forked has it open, too.
    """
    content = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while len(content) < _MAX_ANSWER_BYTES:
            # The exit is checked before the read, so that everything it wrote before its exit is read.
            exited = popen.poll() is not None
            if selector.select(_POLL_SECONDS):
                if not (part := answers.read(_PART)):
                    break
                content += part
            elif exited:
                break
    return bytes(content)


def _error(answer: Mapping[str, Any], package: Package, function: str) -> TrainingImpossibleError:
    module, _, name = function.partition(":")
    match answer["end"]:
        case "name_taken":
            return NameTakenError(package.name)
        case "module_missing":
            return ModuleMissingError(answer["module"], package.path.name, package.modules())
        case "function_missing":
            return FunctionMissingError(module, name, answer["there"])
        case "no_model":
            return NoModelError(function, answer["found"])
        case "no_predictions":
            return NoPredictionsError(function, answer["found"])
        case _:
            return FunctionFailedError(function, answer["error"], answer["place"])
