"""Reads the rows of a file in slices, and converts them to messages for serving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rondo.client.cli.bulk.rows import event_time_of, value_of
from rondo.client.errors import RefusedError
from rondo.client.http.batch_files import suffix_of
from rondo.client.spec_proposal import files
from rondo.client.spec_proposal.errors import UnreadableFileError
from rondo.contracts.batch_files.formats import EXTENSIONS, GZIP_SUFFIX
from rondo.contracts.batch_files.times import written_date
from rondo.contracts.events import logs, scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from rondo.client.spec_proposal.files import SourceFile
    from rondo.contracts.spec.model import Feature

# The rows of a slice. A slice with more bytes than a request may have is halved.
ROWS = 16_384
# The suffixes of the files for scores.
OUTPUTS = (".parquet", ".csv", ".jsonl", ".arrows")
# The error code of a row with a value that does not fit its feature's type.
BAD = "bad_features"


@dataclass(frozen=True)
class Version:
    """A version, and its requirements for rows."""

    model: str
    model_version: int
    digest: str
    features: Mapping[str, Feature]
    entity: str
    event_time: str
    time_zone: str | None

    def request(self, job: str, part: int, first_row: int) -> scores.ScoreRequest:
        return scores.ScoreRequest(job, part, self.model, self.model_version, self.digest, self.features, first_row)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.features, self.entity, self.event_time)


@dataclass(frozen=True)
class Slice:
    """Rows from `first_row` on, with the columns of a message.

    `errors` has a sentence for each row that can't be sent.
    """

    number: int
    first_row: int
    rows: pa.RecordBatch
    errors: Mapping[int, str]


@dataclass(frozen=True)
class Rows:
    """The rows of a file. `total` is their number, or None if it is only known at the end."""

    total: int | None
    slices: Iterable[Slice]


def opened(file: Path, version: Version) -> Rows:
    """Open a file of rows. Parquet is read a slice at a time, other formats as a whole.

    Raises:
        UnreadableFileError, UnknownFormatError, NoRowsError: the file is damaged, has an unknown format or has no row.
        RefusedError: the columns do not fit the version.

    """
    if EXTENSIONS.get(suffix_of(file)) == "Parquet" and not file.name.lower().endswith(GZIP_SUFFIX):
        return _parquet(file, version)
    source = files.read(file, None)
    _check(source.table.schema if source.keeps_types else None, source.table.column_names, version, file)
    batches = _slices(source.table.to_batches(ROWS))
    return Rows(source.table.num_rows, _numbered(batches, version, source))


def _parquet(file: Path, version: Version) -> Rows:
    try:
        content = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0][:300]
        raise UnreadableFileError(file.name, why, "is it complete, and of the format that its name says?") from None
    _check(content.schema_arrow, content.schema_arrow.names, version, file)
    names = [name for name in dict.fromkeys(version.columns) if name in content.schema_arrow.names]
    batches = _slices(content.iter_batches(ROWS, columns=names, use_threads=False))
    return Rows(content.metadata.num_rows, _numbered(batches, version, None))


def _check(schema: pa.Schema | None, names: Iterable[str], version: Version, file: Path) -> None:
    """Raise RefusedError if no row can be scored. Without a schema the columns have texts, which are parsed."""
    known = set(names)
    types = {name: pa.null() for name in known}
    if schema is not None:
        types = {field.name: _sent_type(field.type, version.features.get(field.name)) for field in schema}
        problems = scores.misfits(version.features, types, "rondo")
    else:
        missing = [name for name, feature in version.features.items() if name not in known and not feature.optional]
        problems = [f"the column {name} ({version.features[name].type}) is missing" for name in missing]
        problems += scores.of_unknown_types(version.features, "rondo")
    if problems:
        what = f"{file.name} does not fit version {version.model_version} of {version.model}"
        raise RefusedError(f"{what}: nothing was scored", problems, "schema_mismatch")


def _sent_type(kind: pa.DataType, feature: Feature | None) -> pa.DataType:
    """Return the type in which a column of a typed file is sent. Categories may also be whole numbers or dates."""
    if feature is not None and feature.type == "category" and (pa.types.is_integer(kind) or _is_date(kind)):
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.float64()
    return kind


def _is_date(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _sent(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return values in the type in which they are sent. Dates have the text form of ingestion."""
    if not (_is_date(values.type) and pa.types.is_string(kind)):
        return pc.cast(values, kind)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return pa.array([None if each is None else written_date(each) for each in values.to_pylist()], kind)


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield slices of `ROWS` rows for batches of any size. The last slice may have fewer rows."""
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        rest.append(batch)
        while sum(map(len, rest)) >= ROWS:
            table = pa.Table.from_batches(rest).combine_chunks()
            yield table.slice(0, ROWS).to_batches()[0]
            rest = [each for each in table.slice(ROWS).to_batches() if len(each)]
    if rest:
        yield pa.Table.from_batches(rest).combine_chunks().to_batches()[0]


def _numbered(batches: Iterable[pa.RecordBatch], version: Version, source: SourceFile | None) -> Iterator[Slice]:
    first_row = 0
    for number, batch in enumerate(batches):
        typed = source is None or source.keeps_types
        columns, errors = _typed(batch, version) if typed or source is None else _parsed(batch, version, source)
        yield Slice(number, first_row, pa.RecordBatch.from_pydict(columns), errors)
        first_row += len(batch)


def _typed(batch: pa.RecordBatch, version: Version) -> tuple[dict[str, pa.Array], dict[int, str]]:
    names, columns = batch.schema.names, {}
    for name, feature in version.features.items():
        if name in names:
            values = batch.column(name)
            values = _sent(values, _sent_type(values.type, feature))
            columns[scores.column_of(name)] = (
                values.dictionary_encode() if feature.type == "category" and pa.types.is_string(values.type) else values
            )
    return columns | _names(batch, version), {}


def _parsed(batch: pa.RecordBatch, version: Version, source: SourceFile) -> tuple[dict[str, pa.Array], dict[int, str]]:
    """Return columns of values, parsed by the rules of ingestion, and the errors of rows."""
    errors: dict[int, str] = {}
    columns: dict[str, pa.Array] = {}
    kinds = {"category": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    for name, feature in version.features.items():
        if name not in batch.schema.names:
            continue
        values: list[Any] = []
        for row, text in enumerate(batch.column(name).to_pylist()):
            try:
                values.append(value_of(name, text, feature.type, source))
            except RefusedError as error:
                errors.setdefault(row, str(error))
                values.append(None)
        columns[scores.column_of(name)] = pa.array(values, kinds[feature.type])
    return columns | _names(batch, version), errors


def _names(batch: pa.RecordBatch, version: Version) -> dict[str, pa.Array]:
    """Return the entities and the event times of rows. A time that can't be parsed is left out."""
    found: dict[str, pa.Array] = {}
    if version.entity in batch.schema.names:
        entities = batch.column(version.entity)
        found[scores.ENTITY] = pa.array(
            [None if each is None else str(each) for each in entities.to_pylist()], pa.string()
        )
    if version.event_time in batch.schema.names:
        column = batch.column(version.event_time)
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            found[scores.EVENT_TIME] = pc.cast(column, logs.TIMESTAMP, safe=False)
        else:
            found[scores.EVENT_TIME] = pa.array([_time(each, version) for each in column.to_pylist()], logs.TIMESTAMP)
    return found


def _time(given: Any, version: Version) -> Any:
    try:
        return event_time_of(given, version.time_zone)
    except RefusedError:
        return None
