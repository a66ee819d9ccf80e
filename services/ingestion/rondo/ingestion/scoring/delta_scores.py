"""The table of a job's scores. Its files are written one by one, and become visible in one commit."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from rondo.contracts.events import scores
from rondo.contracts.events.data import DataVersion
from rondo.contracts.vocabularies import ScoringFailure
from rondo.ingestion.delta import damage, storage_errors
from rondo.ingestion.delta.table import DIGEST, PREFIX
from rondo.ingestion.errors import ScoringFailedError, TableDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rondo.contracts.events.scoring import ScoringRequested
    from rondo.ingestion.delta.location import Location
    from rondo.ingestion.scoring.part_answer import PartAnswer


@dataclass(frozen=True)
class WrittenPart:
    """A file of scores: its size in bytes, its content digest, and the number of refused rows."""

    number: int
    rows: int
    refused: int
    size: int
    digest: str


@dataclass(frozen=True)
class DeltaScores:
    """The tables of scores under `root`. Calls block: run them on a thread."""

    root: Location

    def write(self, table: str, number: int, answer: PartAnswer) -> WrittenPart:
        """Write the file of a part, which is not visible before the commit. A file of the same part is replaced.

        Raises:
            UnavailableError: the data storage is full or can't be written.

        """
        about, count = answer.about, len(answer.rows)
        rows = pa.Table.from_batches([answer.rows]).replace_schema_metadata(None)
        rows = rows.append_column("model_version", pa.repeat(pa.scalar(about.model_version, pa.int32()), count))
        rows = rows.append_column("digest", pa.repeat(pa.scalar(about.digest, pa.string()), count))
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        content = bytes(sink.getvalue())
        with storage_errors.translated(self.root):
            self.root.put(f"{table}/{_file(number)}", content)
        refused = count - answer.rows.column(scores.ERROR).null_count
        return WrittenPart(number, count, refused, len(content), hashlib.sha256(content).hexdigest())

    def lost(self, table: str, parts: Sequence[WrittenPart]) -> list[int]:
        """Return the numbers of parts whose file is missing, or has a different size from the written one.

        Raises:
            UnavailableError: the data storage can't be read.

        """
        with storage_errors.translated(self.root):
            sizes = self.root.sizes(table)
        return [part.number for part in parts if sizes.get(_file(part.number)) != part.size]

    def commit(self, table: str, request: ScoringRequested, parts: Sequence[WrittenPart]) -> DataVersion:
        """Make all files of a job visible as version 0 of its table. Return the version, also if that was done before.

        Raises:
            UnavailableError: the data storage can't be written.
            ScoringFailedError: the log of the table is damaged.

        """
        digest = _digest(parts)
        with self._using(table):
            if (found := self._committed(table, request.job)) is not None:
                return found
            schema = pq.read_schema(pa.BufferReader(self.root.get(f"{table}/{_file(parts[0].number)}")))
            about = {"job": request.job, "dataset": request.dataset, "data_version": str(request.data_version)}
            properties = CommitProperties(
                custom_metadata={DIGEST: digest, **{f"{PREFIX}{key}": value for key, value in about.items()}},
                app_transactions=[Transaction(_application(request.job), 1)],
            )
            try:
                create_table_with_add_actions(
                    self.root.uri(table), Schema.from_arrow(schema), list(map(_add, parts)), mode="error",
                    partition_by=[], commit_properties=properties,
                )  # fmt: skip
            except DeltaError:
                # Another process may have committed the same files in the meantime.
                if (found := self._committed(table, request.job)) is None:
                    raise
                return found
        return DataVersion(table=table, version=0, digest=digest)

    def committed(self, table: str, job: str) -> DataVersion | None:
        """Return the version that a job has committed. None if it has not committed.

        Raises:
            UnavailableError: the data storage can't be read.
            ScoringFailedError: the log of the table is damaged.

        """
        with self._using(table):
            return self._committed(table, job)

    @contextmanager
    def _using(self, table: str) -> Iterator[None]:
        try:
            with storage_errors.translated(self.root):
                yield
        except TableDamagedError as error:
            advice = "restore it, or remove it, and run the same command again: the scores themselves are kept"
            raise ScoringFailedError(
                ScoringFailure.SCORES_DAMAGED, f"the folder {table}/_delta_log is damaged ({error.why}): {advice}"
            ) from error

    def _committed(self, table: str, job: str) -> DataVersion | None:
        with damage.as_errors(self.root, table):
            try:
                found = DeltaTable(self.root.uri(table), version=0)
            except TableNotFoundError:
                return None
            if found.transaction_version(_application(job)) is None:
                return None
            return DataVersion(table=table, version=0, digest=str(found.history(1)[0][DIGEST]))


def _file(number: int) -> str:
    return f"part-{number:06}.parquet"


def _application(job: str) -> str:
    return f"scoring/{job}"


def _add(part: WrittenPart, *, data_change: bool = True) -> AddAction:
    return AddAction(_file(part.number), part.size, {}, 0, data_change, json.dumps({"numRecords": part.rows}))


def _digest(parts: Sequence[WrittenPart]) -> str:
    content = "\n".join(f"{part.number} {part.digest}" for part in sorted(parts, key=lambda each: each.number))
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
