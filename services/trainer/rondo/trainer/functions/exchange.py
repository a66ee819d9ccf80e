"""The messages between the worker and the process of a function: JSON, followed by arrays as plain bytes.

Nothing is pickled. Both sides have the same release, so the format has no version. The process of a function waits for
its imports, so this module imports no library but NumPy.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.functions.context import FunctionContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of texts: its distinct texts, and the position of each row's text among them, shape `[rows]`."""

    levels: Sequence[str]
    codes: NDArray[np.int32]


Columns = Mapping[str, "NDArray[np.float32] | Texts"]


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """The rows on which the function's own predictions are compared with its graph: their features and matrix."""

    columns: Columns
    matrix: NDArray[np.float32]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self.columns)


@dataclass(frozen=True, eq=False)
class Request:
    """A call of a function: the features by name, shape `[rows]`, the labels, shape `[rows]`, and the context."""

    columns: Columns
    labels: NDArray[np.float32]
    context: FunctionContext
    compared: ComparedRows

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return arrays_of(self.columns)

    def write(self, file: IO[bytes], path: str, function: str) -> None:
        """Write the call of a function, which is imported from `path`."""
        context, compared = self.context, self.compared
        header = {
            "path": path,
            "function": function,
            "rows": len(self.labels),
            "task": context.task,
            "target": context.target,
            "classes": context.classes,
            "seed": context.seed,
            "params": dict(context.params),
            "threads": context.threads,
            "matrix_columns": context.matrix_columns,
            "columns": _levels(self.columns),
            "compared": _levels(compared.columns),
        }
        arrays = (*_codes(self.columns), self.labels, context.matrix, *_codes(compared.columns), compared.matrix)
        parts: list[bytes | memoryview] = [json.dumps(header).encode()]
        for part in [*parts, *map(_bytes, arrays)]:
            file.write(_LENGTH.pack(len(part)))
            file.write(part)
        file.flush()


def read_request(file: IO[bytes]) -> tuple[str, str, Request]:
    """Return the path to import from, the function, and its call. The arrays are writable.

    Raises:
        EOFError: the file ends before the request does.

    """
    header = json.loads(_read(file))
    columns = _read_columns(file, header["columns"])
    labels = np.frombuffer(_read(file), np.float32)
    matrix = np.frombuffer(_read(file), np.float32).reshape(header["rows"], -1)
    compared = _read_columns(file, header["compared"])
    beside = np.frombuffer(_read(file), np.float32).reshape(-1, matrix.shape[1])
    context = FunctionContext(
        header["task"],
        header["target"],
        tuple(header["classes"]),
        header["seed"],
        header["params"],
        header["threads"],
        matrix,
        tuple(header["matrix_columns"]),
    )
    return header["path"], header["function"], Request(columns, labels, context, ComparedRows(compared, beside))


def arrays_of(columns: Columns) -> dict[str, NDArray[Any]]:
    """Return features as arrays, texts as objects. Rows with the same text share its object."""
    return {
        name: np.array(values.levels, dtype=object).take(values.codes) if isinstance(values, Texts) else values
        for name, values in columns.items()
    }


def write_answer(
    file: IO[bytes], model: bytes = b"", predictions: NDArray[np.float32] | None = None, **answer: Any
) -> None:
    """Write the result of a call, the model if it made one, and its own predictions of the compared rows."""
    shape = None if predictions is None else predictions.shape
    header = json.dumps(answer | {"bytes": len(model), "predictions": shape}).encode()
    file.write(_LENGTH.pack(len(header)) + header)
    file.write(model)
    if predictions is not None:
        file.write(_bytes(predictions))
    file.flush()


def read_answer(content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return the result of a call, and what follows it. None if the process has not answered."""
    if len(content) < _LENGTH.size:
        return None
    end = _LENGTH.size + int(_LENGTH.unpack_from(content)[0])
    if len(content) < end:
        return None
    answer: dict[str, Any] = json.loads(content[_LENGTH.size : end])
    return answer, content[end:]


def _levels(columns: Columns) -> list[tuple[str, list[str] | None]]:
    return [(name, list(each.levels) if isinstance(each, Texts) else None) for name, each in columns.items()]


def _codes(columns: Columns) -> list[NDArray[np.float32] | NDArray[np.int32]]:
    return [each.codes if isinstance(each, Texts) else each for each in columns.values()]


def _read_columns(
    file: IO[bytes], named: Sequence[tuple[str, Sequence[str] | None]]
) -> dict[str, NDArray[np.float32] | Texts]:
    return {
        name: np.frombuffer(_read(file), np.float32)
        if levels is None
        else Texts(levels, np.frombuffer(_read(file), np.int32))
        for name, levels in named
    }


def _bytes(values: NDArray[np.float32] | NDArray[np.int32]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _read(file: IO[bytes]) -> bytearray:
    size = bytearray(_LENGTH.size)
    _fill(file, size)
    content = bytearray(int(_LENGTH.unpack(size)[0]))
    _fill(file, content)
    return content


def _fill(file: IO[bytes], content: bytearray) -> None:
    view, done = memoryview(content), 0
    while done < len(content):
        read = file.readinto(view[done:])  # type: ignore[attr-defined]  # both are buffered readers
        if not read:
            raise EOFError(f"{len(content) - done:,} bytes are missing")
        done += read
