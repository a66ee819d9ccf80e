"""Reads a batch file (Parquet, CSV, JSON Lines or Arrow IPC) into a data frame.

The bytes are foreign: whatever they hold, the result is a frame or an UnreadableFileError. Where polars itself fails on
them it raises PanicException, which is a BaseException.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rondo.ingestion.errors import UnknownContentTypeError, UnreadableFileError
from rondo.ingestion.validation import csv_file, json_lines
from rondo.ingestion.validation.arrow_columns import RawBatch, duplicates, from_arrow

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

FileFormat = Literal["Parquet", "CSV", "JSON Lines", "an Arrow stream", "an Arrow file"]
CONTENT_TYPES: dict[str, FileFormat] = {
    "application/vnd.apache.parquet": "Parquet",
    "text/csv": "CSV",
    "application/x-ndjson": "JSON Lines",
    "application/vnd.apache.arrow.stream": "an Arrow stream",
    "application/vnd.apache.arrow.file": "an Arrow file",
}
EXTENSIONS: dict[str, FileFormat] = {
    ".parquet": "Parquet",
    ".csv": "CSV",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".arrows": "an Arrow stream",
    ".arrow": "an Arrow file",
}
# Formats in which each column has a type. JSON Lines has a type per value, but a frame has one per column: one text
# among numbers turns all of them into texts.
TYPED: frozenset[FileFormat] = frozenset(("Parquet", "an Arrow stream", "an Arrow file"))
_PARQUET, _ARROW = b"PAR1", b"ARROW1"
# The magic numbers of compressed files. polars would decompress some of them, without a limit and without noticing that
# the end of a zlib stream is missing.
_COMPRESSED = {
    b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz",
    b"x\x01": "zlib", b"x\x9c": "zlib", b"x\xda": "zlib",
}  # fmt: skip
_REWRITE = "write the file again and send it"
# What polars says.
_NOT_UTF8 = "invalid utf-8"
_SAVE_AS_UTF8 = "save it as UTF-8 and send it"
_CHECK_TYPE = "send the content type of the file"
_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError, OSError)


def format_of(content_type: str | None) -> FileFormat:
    """Return the format of a content type; parameters such as `charset` are ignored.

    Raises:
        UnknownContentTypeError: it is missing or not supported.

    """
    given = (content_type or "").partition(";")[0].strip().lower()
    if given not in CONTENT_TYPES:
        raise UnknownContentTypeError(given, tuple(CONTENT_TYPES))
    return CONTENT_TYPES[given]


def read(path: Path, file_format: FileFormat, labels: Collection[str] = ()) -> RawBatch:
    """Read a batch file. `labels` are the columns that `RawBatch.written` has, if they are text in JSON Lines.

    Raises:
        UnreadableFileError: the file is damaged, or has another format.

    """
    _check_markers(path, file_format)
    try:
        batch = _READERS[file_format](path)
        if file_format != "JSON Lines":
            return batch
        texts = [name for name in labels if batch.frame.schema.get(name) == pl.String]
        return replace(batch, written={name: _written(path, name, batch.frame.height) for name in texts})
    except _ERRORS as error:
        line = json_lines.invalid_line(path) if file_format == "JSON Lines" else None
        why = line or (str(error) or type(error).__name__).splitlines()[0][:300]
        advice = _SAVE_AS_UTF8 if _NOT_UTF8 in why else _REWRITE
        raise UnreadableFileError(file_format, why, advice) from None


def has_footer(path: Path, file_format: FileFormat) -> bool:
    """Return whether a file that may still be written has its footer; formats without one count as complete."""
    if file_format not in ("Parquet", "an Arrow file"):
        return True
    marker = _PARQUET if file_format == "Parquet" else _ARROW
    return _ends(path)[1].endswith(marker)


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        first = file.read(8)
        file.seek(max(0, path.stat().st_size - 8))
        return first, file.read(8)


def _check_markers(path: Path, file_format: FileFormat) -> None:
    """Recognise another format and a half-written file by their first and last bytes, before a parser fails on them."""
    first, last = _ends(path)
    if not first:
        raise UnreadableFileError(file_format, "it is empty", "send the file itself as the body")
    for magic, compression in _COMPRESSED.items():
        if first.startswith(magic):
            why = f"it is compressed with {compression}"
            raise UnreadableFileError(file_format, why, "send it compressed with gzip once, or as it is")
    found = "Parquet" if first.startswith(_PARQUET) else "an Arrow file" if first.startswith(_ARROW) else None
    if found and found != file_format:
        raise UnreadableFileError(file_format, f"it starts like {found}", _CHECK_TYPE)
    marker = {"Parquet": _PARQUET, "an Arrow file": _ARROW}.get(file_format)
    if marker and not first.startswith(marker):
        raise UnreadableFileError(file_format, f"it does not start with {marker.decode()}", _CHECK_TYPE)
    if marker and not last.endswith(marker):
        why = f"it is half-written, the last bytes are not {marker.decode()}"
        raise UnreadableFileError(file_format, why, "wait until the file is complete and send it again")


def _read_csv(path: Path) -> RawBatch:
    columns, separator = csv_file.header(path)
    if any("\x00" in name for name in columns):
        raise UnreadableFileError("CSV", "it holds NUL characters", _CHECK_TYPE)
    _refuse_duplicates("CSV", columns)
    return RawBatch(csv_file.read(path, separator))


def _read_json_lines(path: Path) -> RawBatch:
    return RawBatch(json_lines.read(path))


def _written(path: Path, column: str, rows: int) -> pl.Series:
    written = json_lines.written_values(path, column)
    if written.len() != rows:
        raise ValueError(f"it has {rows:,} rows on {written.len():,} lines")
    return written


def _read_stream(path: Path) -> RawBatch:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return _from_arrow("an Arrow stream", stream.read_all())


def _read_file(path: Path) -> RawBatch:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as source:
        return _from_arrow("an Arrow file", source.read_all())


def _read_parquet(path: Path) -> RawBatch:
    with pq.ParquetFile(path) as file:
        return _from_arrow("Parquet", file.read())


def _from_arrow(file_format: FileFormat, table: pa.Table) -> RawBatch:
    _refuse_duplicates(file_format, table.column_names)
    return from_arrow(table)


def _refuse_duplicates(file_format: FileFormat, columns: list[str]) -> None:
    if found := duplicates(columns):
        why = f"it has several columns named {', '.join(map(repr, found))}"
        raise UnreadableFileError(file_format, why, "give each column its own name and send it again")


_READERS = {
    "Parquet": _read_parquet,
    "CSV": _read_csv,
    "JSON Lines": _read_json_lines,
    "an Arrow stream": _read_stream,
    "an Arrow file": _read_file,
}
