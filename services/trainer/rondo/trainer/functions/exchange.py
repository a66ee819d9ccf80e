"""The messages between the worker and the process of a function: JSON, followed by arrays as plain bytes.

Nothing is pickled. Both sides have the same release, so the format has no version. The process of a function waits for
its imports, so this module imports no library but NumPy.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.functions.context import FunctionContext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of texts: its distinct texts, and the position of each row's text among them, shape `[rows]`."""

    levels: Sequence[str]
    codes: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Request:
    """A call of a function: the features by name, shape `[rows]`, the labels, shape `[rows]`, and the context."""

    columns: Mapping[str, NDArray[np.float32] | Texts]
    labels: NDArray[np.float32]
    context: FunctionContext

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The features as arrays, texts as objects. Rows with the same text share its object."""
        return {
            name: np.array(values.levels, dtype=object).take(values.codes) if isinstance(values, Texts) else values
            for name, values in self.columns.items()
        }

    def write(self, file: IO[bytes], path: str, function: str) -> None:
        """Write the call of a function, which is imported from `path`."""
        context, columns = self.context, self.columns.items()
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
            "columns": [(name, list(each.levels) if isinstance(each, Texts) else None) for name, each in columns],
        }
        arrays = (each.codes if isinstance(each, Texts) else each for _, each in columns)
        parts: list[bytes | memoryview] = [json.dumps(header).encode()]
        for part in [*parts, *map(_bytes, (*arrays, self.labels, context.matrix))]:
            file.write(_LENGTH.pack(len(part)))
            file.write(part)
        file.flush()


def read_request(file: IO[bytes]) -> tuple[str, str, Request]:
    """Return the path to import from, the function, and its call. The arrays are writable.

    Raises:
        EOFError: the file ends before the request does.

    """
    header = json.loads(_read(file))
    columns = {
        name: np.frombuffer(_read(file), np.float32)
        if levels is None
        else Texts(levels, np.frombuffer(_read(file), np.int32))
        for name, levels in header["columns"]
    }
    labels = np.frombuffer(_read(file), np.float32)
    matrix = np.frombuffer(_read(file), np.float32).reshape(header["rows"], -1)
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
    return header["path"], header["function"], Request(columns, labels, context)


def write_answer(file: IO[bytes], model: bytes = b"", **answer: Any) -> None:
    """Write the result of a call, and the model if it made one."""
    header = json.dumps(answer | {"bytes": len(model)}).encode()
    file.write(_LENGTH.pack(len(header)) + header)
    file.write(model)
    file.flush()


def read_answer(content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return the result of a call, and the model. None if the process has not answered."""
    if len(content) < _LENGTH.size:
        return None
    end = _LENGTH.size + int(_LENGTH.unpack_from(content)[0])
    if len(content) < end:
        return None
    answer: dict[str, Any] = json.loads(content[_LENGTH.size : end])
    return answer, content[end:]


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
