"""Reads the rows of a version of a dataset part by part, a few thousand in memory at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from rondo.contracts.events import logs, scores
from rondo.contracts.vocabularies import ScoringFailure
from rondo.ingestion.batches.publisher import table_of
from rondo.ingestion.delta import damage, storage_errors
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring.plan import Part, RowGroup, divide, most_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from rondo.contracts.events.scoring import ScoringRequested
    from rondo.ingestion.delta.location import Location


@dataclass(frozen=True)
class DeltaSource:
    """The datasets under `root`. Calls block: run them on a thread."""

    root: Location

    def parts(self, request: ScoringRequested) -> list[Part]:
        """Return the parts of the data.

        Raises:
            ScoringFailedError: the data does not exist, can't be read, or has columns that do not fit the model
            version. UnavailableError: the data storage is unavailable.

        """
        with self._reading(request):
            data = self._open(request)
            types = dict(zip(data.schema.names, data.schema.types, strict=True))
            if problems := scores.misfits(request.features, types, "ingestion"):
                what = f"version {request.data_version} of {request.dataset}"
                wanted = f"{request.model_version} of {request.model}: {'; '.join(problems)}"
                message = f"{what} does not fit version {wanted}; score a dataset with these columns"
                raise ScoringFailedError(ScoringFailure.SCHEMA_MISMATCH, message)
            return divide(_row_groups(data), most=most_rows(request.features, request.task))

    def read(
        self, request: ScoringRequested, parts: Sequence[Part], attempt: str = ""
    ) -> Iterator[tuple[Part, pa.RecordBatch]]:
        """Yield parts with their rows, in the order of the data, as record batches for the messages of an attempt.

        Raises:
            ScoringFailedError: the data no longer exists, or can't be read.
            UnavailableError: the data storage is unavailable.

        """
        wanted: dict[tuple[str, int], list[Part]] = {}
        for part in parts:
            wanted.setdefault((part.file, part.row_group), []).append(part)
        with self._reading(request):
            data = self._open(request)
            columns = _columns(request, data.schema)
            files = {part.file for part in parts}
            for fragment in (each for each in _fragments(data) if each.path in files):
                for group in fragment.split_by_row_group(schema=data.schema):
                    if mine := wanted.pop((fragment.path, group.row_groups[0].id), None):
                        batches = group.to_batches(
                            schema=data.schema, columns=list(columns), batch_size=mine[0].rows, use_threads=False,
                            batch_readahead=1, fragment_readahead=1,
                        )  # fmt: skip
                        for part, rows in _slices(mine, batches):
                            yield part, _message(rows, part, request, attempt)
            if wanted:
                what = f"version {request.data_version} of {request.dataset} has other files than when the job began"
                raise ScoringFailedError(
                    ScoringFailure.DATA_CHANGED, f"{what}: run the same command again, and it starts from the beginning"
                )

    @contextmanager
    def _reading(self, request: ScoringRequested) -> Iterator[None]:
        """Distinguish lost or damaged files, for which a retry does not help, from an unavailable storage.

        Both raise errors of the same class, and some have the same text. The log of the table has the size of each
        file.
        """
        try:
            yield
        except (pa.ArrowException, OSError, DeltaError) as error:
            if not _is_of_storage(error):
                raise _unreadable(request, storage_errors.describe(error, self.root)) from error
            if damaged := self._damaged(request):
                raise _unreadable(request, damaged) from error
            raise storage_errors.storage_unavailable(error, self.root) from error

    def _damaged(self, request: ScoringRequested) -> str:
        """Return the damage of a file of the data, found by its name and size. Empty if there is none."""
        table = table_of(request.dataset)
        with storage_errors.translated(self.root):
            sizes = self.root.sizes(table)
            try:
                files = _files(DeltaTable(self.root.uri(table), version=request.data_version))
            except DeltaError as error:
                if storage_errors.is_of_storage(error):
                    raise
                return storage_errors.describe(error, self.root)
        for path, size in files:
            if path not in sizes:
                return f"{path} is missing"
            if sizes[path] != size:
                return f"{path} has {sizes[path]:,} bytes instead of {size:,}"
        return ""

    def _open(self, request: ScoringRequested) -> Any:
        try:
            table = DeltaTable(self.root.uri(table_of(request.dataset)))
        except TableNotFoundError:
            what = f"the dataset {request.dataset} has no rows yet: publish a batch (`rondo publish`)"
            raise ScoringFailedError(ScoringFailure.DATA_MISSING, what) from None
        if not 0 <= request.data_version <= table.version():
            what = f"{request.dataset} has no version {request.data_version}: its versions are 0 to {table.version()}"
            raise ScoringFailedError(ScoringFailure.DATA_MISSING, what)
        if (problem := damage.lost_commit(self.root, table_of(request.dataset), request.data_version)) is not None:
            raise _unreadable(request, problem)
        try:
            table.load_as_version(request.data_version)
        except DeltaError as error:
            if storage_errors.is_of_storage(error):
                raise
            what = f"version {request.data_version} of {request.dataset} can't be read ({error}): score a newer one"
            raise ScoringFailedError(ScoringFailure.DATA_MISSING, what) from error
        return table.to_pyarrow_dataset()


def _is_of_storage(error: Exception) -> bool:
    # pyarrow also raises OSError for a damaged file, but without an error number.
    text = str(error)
    return not isinstance(error, pa.ArrowException) and (
        (isinstance(error, OSError) and error.errno is not None)
        or any(mark in text for mark in ("os error", "Generic ", "Object at location"))
    )


def _unreadable(request: ScoringRequested, why: str) -> ScoringFailedError:
    what = f"version {request.data_version} of {request.dataset} can't be read ({why})"
    return ScoringFailedError(
        ScoringFailure.DATA_UNREADABLE,
        f"{what}: restore its files and run the same command again, or score another version",
    )


def _files(table: DeltaTable) -> list[tuple[str, int]]:
    """Return the files of a version with their sizes in bytes, from the log of the table."""
    actions = pa.table(table.get_add_actions())
    return list(zip(map(unquote, actions["path"].to_pylist()), actions["size_bytes"].to_pylist(), strict=True))


def _fragments(data: Any) -> list[Any]:
    """Return the files in an order that does not depend on the machine."""
    return sorted(data.get_fragments(), key=lambda fragment: fragment.path)


def _row_groups(data: Any) -> Iterator[RowGroup]:
    for fragment in _fragments(data):
        footer = fragment.metadata
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            yield RowGroup(fragment.path, number, group.num_rows, group.total_byte_size)


def _columns(request: ScoringRequested, schema: pa.Schema) -> dict[str, None]:
    names = (*request.features, request.entity, request.event_time)
    return {name: None for name in names if name in schema.names}


def _slices(parts: Sequence[Part], batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Part, pa.RecordBatch]]:
    """Cut the batches of one row group, which have any size, into its parts. Yield these in their order."""
    rest: list[pa.RecordBatch] = []
    passed = 0  # the number of rows before those in `rest`
    source = iter(batches)
    for part in sorted(parts, key=lambda each: each.skipped):
        while passed + sum(len(each) for each in rest) < part.skipped + part.rows:
            if (batch := next(source, None)) is None:
                raise pa.ArrowInvalid(f"{part.file} has fewer rows than before")
            rest.append(batch)
            while rest and passed + len(rest[0]) <= part.skipped:
                passed += len(rest.pop(0))
        table = pa.Table.from_batches(rest).slice(part.skipped - passed, part.rows).combine_chunks()
        yield part, table.to_batches()[0]


def _message(rows: pa.RecordBatch, part: Part, request: ScoringRequested, attempt: str) -> pa.RecordBatch:
    names, columns = rows.schema.names, {}
    if request.entity in names:
        columns[scores.ENTITY] = pc.cast(rows.column(request.entity), pa.string())
    if request.event_time in names and pa.types.is_timestamp(rows.schema.field(request.event_time).type):
        columns[scores.EVENT_TIME] = pc.cast(rows.column(request.event_time), logs.TIMESTAMP)
    for name in request.features:
        if name in names:
            values = rows.column(name)
            columns[scores.column_of(name)] = values.dictionary_encode() if pa.types.is_string(values.type) else values
    if not columns:
        # If all features are optional and absent, the batch would have no columns, and so no rows.
        columns = {scores.column_of(name): pa.nulls(len(rows)) for name in request.features}
    about = scores.ScoreRequest(
        request.job,
        part.number,
        request.model,
        request.model_version,
        request.digest,
        request.features,
        part.first_row,
        attempt,
    )
    return pa.RecordBatch.from_pydict(columns).replace_schema_metadata(about.metadata())
