"""Reads a batch file (Parquet, CSV, JSON Lines or Arrow IPC) into a data frame.

The bytes are untrusted: for any content the result is a frame or an UnreadableFileError. If polars panics on them, it
raises PanicException, which is a BaseException. `rondo.contracts.batch_files` reads texts, also for clients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rondo.contracts.batch_files import csv_file, formats
from rondo.contracts.batch_files.csv_file import check_duplicates
from rondo.contracts.batch_files.errors import UnreadableContentError
from rondo.contracts.batch_files.formats import FORMATS, TYPED, FileFormat
from rondo.ingestion.errors import UnknownContentTypeError, UnreadableFileError
from rondo.ingestion.validation import json_lines
from rondo.ingestion.validation.arrow_columns import RawBatch, from_arrow

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_REWRITE = "write the file again and send it"
_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError, OSError)


def format_of(content_type: str | None) -> FileFormat:
    """Return the format of a content type. Parameters such as `charset` are ignored.

    Raises:
        UnknownContentTypeError: it is missing or not supported.

    """
    given = (content_type or "").partition(";")[0].strip().lower()
    if given not in FORMATS:
        raise UnknownContentTypeError(given, tuple(FORMATS))
    return FORMATS[given]


def read(path: Path, file_format: FileFormat, labels: Collection[str] = ()) -> RawBatch:
    """Read a batch file. `labels` are the columns that `RawBatch.written` has, if they are text in JSON Lines.

    Raises:
        UnreadableFileError: the file is damaged, or has another format.

    """
    try:
        with path.open("rb") as file:
            formats.check_markers(file, file_format)
        batch = _READERS[file_format](path)
        if file_format != "JSON Lines":
            return batch
        texts = [name for name in labels if batch.frame.schema.get(name) == pl.String]
        return replace(batch, written={name: _written(path, name, batch.frame.height) for name in texts})
    except UnreadableContentError as error:
        raise UnreadableFileError(file_format, error.why, error.advice) from None
    except _ERRORS as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:300]
        damaged = f"its content is damaged ({why})" if file_format in TYPED else why
        raise UnreadableFileError(file_format, damaged, _REWRITE) from None


def has_footer(path: Path, file_format: FileFormat) -> bool:
    """Return whether a file that may still be written has its footer. True for a format without a footer."""
    with path.open("rb") as file:
        return formats.has_footer(file, file_format)


def _read_csv(path: Path) -> RawBatch:
    with path.open("rb") as file:
        rows = csv_file.read(file)
    return replace(from_arrow(rows.table), decimal_commas=rows.has_decimal_commas)


def _read_json_lines(path: Path) -> RawBatch:
    return RawBatch(json_lines.read(path))


def _written(path: Path, column: str, rows: int) -> pl.Series:
    written = json_lines.written_values(path, column)
    if written.len() != rows:
        raise ValueError(f"it has {rows:,} rows on {written.len():,} lines")
    return written


def _read_stream(path: Path) -> RawBatch:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return _from_arrow(stream.read_all())


def _read_file(path: Path) -> RawBatch:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as source:
        return _from_arrow(source.read_all())


def _read_parquet(path: Path) -> RawBatch:
    with pq.ParquetFile(path) as file:
        return _from_arrow(file.read())


def _from_arrow(table: pa.Table) -> RawBatch:
    check_duplicates(table.column_names)
    return from_arrow(table)


_READERS = {
    "Parquet": _read_parquet,
    "CSV": _read_csv,
    "JSON Lines": _read_json_lines,
    "an Arrow stream": _read_stream,
    "an Arrow file": _read_file,
}
