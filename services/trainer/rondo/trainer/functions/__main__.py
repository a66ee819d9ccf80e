"""The process that runs one function: `python -m rondo.trainer.functions <descriptor of the answer>`.

The call is read from standard input, which stays open. End-of-file means that the worker has ended, and this process
ends, too. The function's output is written to the log.
"""

from __future__ import annotations

import importlib
import inspect
import os
import random
import signal
import sys
import threading
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import onnx

from rondo.trainer.functions.exchange import ComparedRows, Request, read_request, write_answer
from rondo.trainer.functions.imports import OnePackage, finder_below

if TYPE_CHECKING:
    from collections.abc import Callable

_ERROR_CHARACTERS = 2_000
# A graph and the function that predicts.
_PAIR = 2


def main() -> None:
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - no process that the function starts keeps it open
    try:
        path, function, request = read_request(sys.stdin.buffer)
    except EOFError:
        sys.exit("the worker ended while it sent the request")
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    with os.fdopen(descriptor, "wb") as answers:
        try:
            _call(answers, path, function, request)
        except BaseException as error:  # noqa: BLE001 - the boundary: also SystemExit is the function's
            traceback.print_exc()
            write_answer(answers, end="failed", error=_described(error), place=_place(error, Path(path)))
        finally:
            # The worker closes standard input once it has the answer, and then this process ends at once.
            sys.stdout.flush()


def _call(answers: IO[bytes], path: str, function: str, request: Request) -> None:
    module_name, _, name = function.partition(":")
    package = module_name.partition(".")[0]
    sys.dont_write_bytecode = True
    if find_spec(package) is not None:
        return write_answer(answers, end="name_taken")
    sys.path_hooks.insert(0, finder_below(path))
    sys.meta_path.append(OnePackage(package, path))
    random.seed(request.context.seed)
    np.random.seed(request.context.seed)  # noqa: NPY002 - for libraries that draw from it
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        return write_answer(answers, end="module_missing", module=error.name)
    called = getattr(module, name, None)
    if not callable(called):
        functions = inspect.getmembers(module, inspect.isfunction)
        there = [each for each, value in functions if value.__module__ == module_name and not each.startswith("_")]
        return write_answer(answers, end="function_missing", there=there)
    return _answer(answers, called(request.arrays, request.labels, request.context), request.compared)


def _answer(answers: IO[bytes], made: object, compared: ComparedRows) -> None:
    """Answer with what the function made: a model, or a model and a function that predicts."""
    model, predict = made if isinstance(made, tuple) and len(made) == _PAIR else (made, None)
    if isinstance(model, onnx.ModelProto):
        model = model.SerializeToString(deterministic=True)
    if not isinstance(model, bytes | bytearray):
        found = "nothing" if model is None else f"a value of type {type(model).__name__}"
        return write_answer(answers, end="no_model", found=found)
    if predict is None:
        return write_answer(answers, bytes(model), end="model")
    if not callable(predict):
        return write_answer(answers, end="no_model", found=f"a model and a value of type {type(predict).__name__}")
    return _compare(answers, bytes(model), predict, compared)


def _compare(answers: IO[bytes], model: bytes, predict: Callable[[Any, Any], Any], rows: ComparedRows) -> None:
    """Answer with the model and the function's own predictions, which the worker compares with the graph's."""
    given = predict(rows.arrays, rows.matrix)
    try:
        with np.errstate(over="ignore"):
            predictions = np.asarray(given, np.float32)
    except Exception:  # noqa: BLE001 - the value is the user's: a tensor refuses with an error of its own library
        return write_answer(answers, end="no_predictions", found=f"a value of type {type(given).__name__}")
    if predictions.shape[:1] != (len(rows.matrix),):
        found = f"an array of shape {list(predictions.shape)} for {len(rows.matrix):,} rows"
        return write_answer(answers, end="no_predictions", found=found)
    return write_answer(answers, model, predictions, end="model")


def _described(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:_ERROR_CHARACTERS]


def _place(error: BaseException, folder: Path) -> str:
    """Return the last line of the traceback that is in the package, or the last line if none is."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename, folder)}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    last = (own or frames)[-1]
    return f"{_relative(last.filename, folder)}, line {last.lineno}, in {last.name}"


def _relative(filename: str, folder: Path) -> str:
    return str(Path(filename).relative_to(folder)) if Path(filename).is_relative_to(folder) else filename


def _end_with_the_worker() -> None:
    # `sys.stdin` is not used: this thread would hold its lock when the interpreter ends.
    os.read(0, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
