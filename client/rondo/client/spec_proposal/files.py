"""Reads a batch file as Arrow columns, by the rules of ingestion."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rondo.client.errors import UnknownFormatError
from rondo.client.http.batch_files import size_of, suffix_of
from rondo.client.spec_proposal.errors import NoRowsError, UnreadableFileError
from rondo.contracts.batch_files import csv_file
from rondo.contracts.batch_files.csv_file import check_duplicates, collected
from rondo.contracts.batch_files.errors import UnreadableContentError
from rondo.contracts.batch_files.formats import CONTENT_TYPES, EXTENSIONS, check_markers
from rondo.contracts.batch_files.json_lines import parse_line
from rondo.contracts.batch_files.text import not_utf8, utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# A proposal for this many rows takes seconds, and more rows hardly change it.
MOST_ROWS = 200_000
_BATCH_ROWS = 65_536
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_ERRORS = (pa.ArrowException, ValueError, OSError)
_NESTED = pa.list_(pa.string())


@dataclass(frozen=True)
class SourceFile:
    """The first rows of a file.

    `keeps_types` is true for Parquet and Arrow. In other formats a column has texts, or in JSON Lines texts, true and
    false. `json_numbers` names the columns of JSON Lines whose values are all numbers. An empty text is null, as in
    ingestion. `truncated` is true if the file has more rows. With `decimal_commas` a comma in the text of a number is
    the decimal sign.
    """

    name: str
    table: pa.Table
    keeps_types: bool
    truncated: bool = False
    decimal_commas: bool = False
    json_numbers: frozenset[str] = frozenset()


def read(path: Path, most_rows: int | None = MOST_ROWS) -> SourceFile:
    """Read a Parquet, CSV, JSON Lines or Arrow file, which may be compressed with gzip.

    Raises:
        UnknownFormatError: the suffix of the file does not name a format.
        EmptyBatchError: the file has 0 bytes.
        UnreadableFileError: the file is damaged, has another format, or has two columns with the same name.
        NoRowsError: the file has no row.

    """
    suffix = suffix_of(path)
    if suffix not in CONTENT_TYPES:
        raise UnknownFormatError(path.name, tuple(CONTENT_TYPES))
    size_of(path)
    file_format = EXTENSIONS[suffix]
    try:
        with path.open("rb") as file, inflated(file) as content:
            check_markers(content, file_format)
            found = _READERS[file_format](path.name, content, most_rows)
    except UnreadableContentError as error:
        raise UnreadableFileError(path.name, error.why, error.advice) from None
    except _ERRORS as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise UnreadableFileError(path.name, why, "is it complete, and of the format that its name says?") from None
    if not found.table.num_rows:
        raise NoRowsError(path.name, found.table.num_columns)
    return found


@contextmanager
def inflated(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the content of a file that may be compressed with gzip.

    Raises:
        UnreadableContentError: the compressed content is damaged.

    """
    start = file.read(len(_GZIP))
    file.seek(0)
    if start != _GZIP:
        yield file
        return
    with tempfile.TemporaryFile() as content:
        try:
            with gzip.GzipFile(fileobj=file) as source:
                while chunk := source.read(_CHUNK):
                    content.write(chunk)
        except (EOFError, OSError, zlib.error) as error:
            raise UnreadableContentError(f"its gzip is damaged ({error})", "compress the file again") from None
        content.seek(0)
        yield content


def _csv(name: str, file: BinaryIO, most_rows: int | None) -> SourceFile:
    rows = csv_file.read(file, most_rows)
    columns = [_without_empty(column) for column in rows.table.columns]
    table = pa.table(columns, rows.table.column_names)
    return SourceFile(name, table, keeps_types=False, truncated=rows.truncated, decimal_commas=rows.has_decimal_commas)


def _json_lines(name: str, file: BinaryIO, most_rows: int | None) -> SourceFile:
    columns: dict[str, list[Any]] = {}
    rows = 0
    truncated = False
    with utf8(file) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            if truncated := rows == most_rows:
                break
            for key, value in _row(number, line, text).items():
                values = columns.setdefault(key, [])
                values.extend([None] * (rows - len(values)))
                values.append(value)
            rows += 1
    numbers = frozenset(name for name, values in columns.items() if _types(values) <= {int, float})
    table = _json_table(columns, rows)
    return SourceFile(name, table, keeps_types=False, truncated=truncated, json_numbers=numbers)


def _row(number: int, line: bytes, text: BinaryIO) -> dict[str, Any]:
    try:
        return parse_line(number, line)
    except UnreadableContentError as error:
        raise not_utf8(text) or error from None


def _json_table(columns: dict[str, list[Any]], rows: int) -> pa.Table:
    arrays = [_json_column([*values, *[None] * (rows - len(values))]) for values in columns.values()]
    return pa.table(arrays, list(columns))


def _types(values: list[Any]) -> set[type]:
    return {type(value) for value in values if value is not None}


def _json_column(values: list[Any]) -> pa.ChunkedArray:
    types = _types(values)
    if types & {dict, list}:
        kind = pa.struct([]) if dict in types else _NESTED
        empty: Any = {} if dict in types else []
        return pa.chunked_array([pa.array([None if value is None else empty for value in values], kind)])
    if types == {bool}:
        return pa.chunked_array([pa.array(values, pa.bool_())])
    texts = [value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values]
    return _without_empty(pa.chunked_array([pa.array(texts, pa.string())]))


def _parquet(name: str, file: BinaryIO, most_rows: int | None) -> SourceFile:
    with pq.ParquetFile(file) as source:
        return _typed(name, source.schema_arrow, source.iter_batches(_BATCH_ROWS), most_rows)


def _arrow_stream(name: str, file: BinaryIO, most_rows: int | None) -> SourceFile:
    with pa.ipc.open_stream(file) as source:
        return _typed(name, source.schema, source, most_rows)


def _arrow_file(name: str, file: BinaryIO, most_rows: int | None) -> SourceFile:
    with pa.ipc.open_file(file) as source:
        batches = (source.get_batch(number) for number in range(source.num_record_batches))
        return _typed(name, source.schema, batches, most_rows)


def _typed(name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], most_rows: int | None) -> SourceFile:
    check_duplicates(schema.names)
    table, truncated = collected(schema, (batch for batch in batches if batch.num_rows), most_rows)
    columns = [_plain(column) for column in table.columns]
    return SourceFile(name, pa.table(columns, schema.names), keeps_types=True, truncated=truncated)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionaries, runs and empty texts."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return _plain(pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Python has no nanoseconds, and ingestion drops them
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return _without_empty(column.cast(pa.string())) if text else column


def _without_empty(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), None, column)


_READERS = {
    "Parquet": _parquet,
    "CSV": _csv,
    "JSON Lines": _json_lines,
    "an Arrow stream": _arrow_stream,
    "an Arrow file": _arrow_file,
}
