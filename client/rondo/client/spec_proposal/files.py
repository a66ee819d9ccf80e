"""Reads a batch file as Arrow columns, by the rules of ingestion."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from rondo.client.errors import UnknownFormatError
from rondo.client.http.batch_files import CONTENT_TYPES, size_of, suffix_of
from rondo.client.spec_proposal.errors import NoRowsError, UnreadableFileError
from rondo.contracts.csv_header import read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# A proposal takes seconds with so many rows, and more hardly change it.
MOST_ROWS = 200_000
_BATCH_ROWS = 65_536
_GZIP = b"\x1f\x8b"
_ERRORS = (pa.ArrowException, ValueError, OSError, EOFError)
# What pyarrow says of a value; of a header Python itself does.
_NOT_UTF8 = "invalid UTF8"
_SAVE_AS_UTF8 = "save it as UTF-8, or convert it: `iconv -f latin1 -t utf-8 FILE`, where it is Latin-1"
_NESTED = pa.list_(pa.string())


@dataclass(frozen=True)
class SourceFile:
    """The first rows of a file.

    `keeps_types` is true for Parquet and Arrow. Otherwise a column is text, or true and false in JSON Lines. An empty
    text is null, as ingestion counts it. `truncated` says that there are more rows; `ragged` counts lines of a CSV file
    with another number of fields than its header.
    """

    name: str
    table: pa.Table
    keeps_types: bool
    truncated: bool = False
    ragged: int = 0


def read(path: Path, most_rows: int = MOST_ROWS) -> SourceFile:
    """Read a Parquet, CSV, JSON Lines or Arrow file, also one that is compressed with gzip.

    Raises:
        UnknownFormatError: its suffix names no format.
        EmptyBatchError: it has 0 bytes.
        UnreadableFileError: it is damaged, has another format, or two columns of one name.
        NoRowsError: it has no row.

    """
    suffix = suffix_of(path)
    if suffix not in CONTENT_TYPES:
        raise UnknownFormatError(path.name, tuple(CONTENT_TYPES))
    size_of(path)
    try:
        with _opened(path) as file:
            found = _READERS[suffix](path.name, file, most_rows)
    except _ERRORS as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:300]
        if isinstance(error, UnicodeDecodeError) or _NOT_UTF8 in why:
            raise UnreadableFileError(path.name, "its text is not UTF-8", _SAVE_AS_UTF8) from None
        raise UnreadableFileError(path.name, why, "is it complete, and of the format that its name says?") from None
    if not found.table.num_rows:
        raise NoRowsError(path.name, found.table.num_columns)
    return found


def _opened(path: Path) -> BinaryIO:
    file = path.open("rb")
    start = file.read(len(_GZIP))
    file.seek(0)
    if start == _GZIP:
        with file:
            return io.BytesIO(gzip.decompress(file.read()))
    return file


def _csv(name: str, file: BinaryIO, most_rows: int) -> SourceFile:
    columns, separator = read_header(file)
    if not columns:
        raise NoRowsError(name, 0)
    _refuse_duplicates(name, columns)
    file.seek(0)
    ragged = 0

    def skip(_: Any) -> str:
        nonlocal ragged
        ragged += 1
        return "skip"

    # With all types given, no value is converted, and no text such as NA is taken for a missing value.
    reader = pa_csv.open_csv(
        file,
        parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
    )
    table, truncated = _collected(reader.schema, reader, most_rows)
    values = pa.table([_without_empty(column) for column in table.columns], table.column_names)
    return SourceFile(name, _without_blank_rows(values), keeps_types=False, truncated=truncated, ragged=ragged)


def _json_lines(name: str, file: BinaryIO, most_rows: int) -> SourceFile:
    columns: dict[str, list[Any]] = {}
    rows = 0
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        if rows == most_rows:
            return SourceFile(name, _json_table(columns, rows), keeps_types=False, truncated=True)
        row = _json_object(name, number, line)
        for key, value in row.items():
            values = columns.setdefault(key, [])
            values.extend([None] * (rows - len(values)))
            values.append(value)
        rows += 1
    return SourceFile(name, _json_table(columns, rows), keeps_types=False)


def _json_object(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UnreadableFileError(name, f"line {number} is not JSON ({error})", "write one object per line") from None
    if not isinstance(row, dict):
        raise UnreadableFileError(name, f"line {number} is not a JSON object", "write one object per line")
    return row


def _json_table(columns: dict[str, list[Any]], rows: int) -> pa.Table:
    arrays = [_json_column([*values, *[None] * (rows - len(values))]) for values in columns.values()]
    return pa.table(arrays, list(columns))


def _json_column(values: list[Any]) -> pa.ChunkedArray:
    types = {type(value) for value in values if value is not None}
    if types & {dict, list}:
        return pa.chunked_array([pa.array([None if value is None else [] for value in values], _NESTED)])
    if types == {bool}:
        return pa.chunked_array([pa.array(values, pa.bool_())])
    texts = [value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values]
    return _without_empty(pa.chunked_array([pa.array(texts, pa.string())]))


def _parquet(name: str, file: BinaryIO, most_rows: int) -> SourceFile:
    with pq.ParquetFile(file) as source:
        return _typed(name, source.schema_arrow, source.iter_batches(_BATCH_ROWS), most_rows)


def _arrow_stream(name: str, file: BinaryIO, most_rows: int) -> SourceFile:
    with pa.ipc.open_stream(file) as source:
        return _typed(name, source.schema, source, most_rows)


def _arrow_file(name: str, file: BinaryIO, most_rows: int) -> SourceFile:
    with pa.ipc.open_file(file) as source:
        batches = (source.get_batch(number) for number in range(source.num_record_batches))
        return _typed(name, source.schema, batches, most_rows)


def _typed(name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], most_rows: int) -> SourceFile:
    _refuse_duplicates(name, schema.names)
    table, truncated = _collected(schema, batches, most_rows)
    return SourceFile(name, pa.table([_plain(column) for column in table.columns], schema.names), True, truncated)  # noqa: FBT003


def _collected(schema: pa.Schema, batches: Iterable[pa.RecordBatch], most_rows: int) -> tuple[pa.Table, bool]:
    """Return the first rows, and whether there are more."""
    taken: list[pa.RecordBatch] = []
    rows = 0
    for batch in _not_empty(batches):
        if rows == most_rows:
            return pa.Table.from_batches(taken, schema), True
        taken.append(batch.slice(0, most_rows - rows))
        rows += taken[-1].num_rows
        if taken[-1].num_rows < batch.num_rows:
            return pa.Table.from_batches(taken, schema), True
    return pa.Table.from_batches(taken, schema), False


def _not_empty(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return (batch for batch in batches if batch.num_rows)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionaries, and without empty texts."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return _without_empty(column.cast(pa.string())) if text else column


def _without_empty(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), None, column)


def _without_blank_rows(table: pa.Table) -> pa.Table:
    """Return the rows with any value but blanks: ingestion takes the others for blank lines."""
    filled = [
        pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), fill_value=False) for column in table.columns
    ]
    keep = filled[0]
    for each in filled[1:]:
        keep = pc.or_(keep, each)
    return table.filter(keep)


def _refuse_duplicates(name: str, columns: list[str]) -> None:
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        why = f"it has several columns named {', '.join(map(repr, twice))}"
        raise UnreadableFileError(name, why, "give each column a name of its own")


_READERS = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".arrows": _arrow_stream,
    ".arrow": _arrow_file,
}
