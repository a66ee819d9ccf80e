"""Writes the scores of a file, part by part, under another name first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow import parquet as pq

from rondo.contracts.events import scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> object: ...
    def close(self) -> object: ...


def write(out: Path, parts: Iterable[Path]) -> None:
    """Write the answers of all parts to a file, in the format of its suffix.

    A rename makes the complete file visible.
    """
    written = out.with_name(f"{out.name}.writing")
    writer: _Writer | None = None
    try:
        for part in parts:
            table = _table(scores.decode(part.read_bytes()), wide=out.suffix.lower() == ".csv")
            writer = writer or _WRITERS[out.suffix.lower()](written, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    written.replace(out)


def _table(answer: pa.RecordBatch, *, wide: bool) -> pa.Table:
    """Return an answer with its version. With `wide` each class has a column, else one column has a list."""
    about = {key.decode(): value.decode() for key, value in (answer.schema.metadata or {}).items()}
    classes = json.loads(about.get("classes", "[]"))
    columns: dict[str, pa.Array] = {}
    for name, column in zip(answer.schema.names, answer.columns, strict=True):
        if wide and pa.types.is_list(column.type):
            for place, label in enumerate(classes):
                columns[f"{name}.{label}"] = pc.list_element(column, place)
        else:
            columns[name] = column
    rows = len(answer)
    columns["model_version"] = pa.repeat(pa.scalar(int(about["model_version"]), pa.int32()), rows)
    columns["digest"] = pa.repeat(pa.scalar(about["digest"], pa.string()), rows)
    return pa.table(columns)


class _JsonLines:
    def __init__(self, file: Path, _: pa.Schema) -> None:
        self._file = file.open("wb")

    def write_table(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))

    def close(self) -> None:
        self._file.close()


class _Arrow:
    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file: Any = pa.OSFile(str(file), "wb")
        self._stream = pa.ipc.new_stream(self._file, schema)

    def write_table(self, table: pa.Table) -> None:
        self._stream.write_table(table)

    def close(self) -> None:
        self._stream.close()
        self._file.close()


_WRITERS: dict[str, Callable[[Path, pa.Schema], _Writer]] = {
    ".parquet": lambda file, schema: pq.ParquetWriter(file, schema, compression="zstd"),
    ".csv": csv.CSVWriter,
    ".jsonl": _JsonLines,
    ".arrows": _Arrow,
}
