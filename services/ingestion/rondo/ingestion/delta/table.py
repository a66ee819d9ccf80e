"""One Delta table, opened by its only writer: column types, digest, compaction and history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from rondo.chassis import object_store
from rondo.ingestion.delta import storage_errors
from rondo.ingestion.delta.column_types import as_text, conflicting_columns
from rondo.ingestion.delta.content_digest import chained_digest
from rondo.ingestion.errors import TableDamagedError
from rondo.ingestion.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST = "rondo.digest"
PREFIX = "rondo."
# A model version names the data version that it was trained on, which must remain readable. Delta would delete the log
# of a version after 30 days. Data files stay because VACUUM is never run, so a checkpoint need not list the files that
# compaction replaced: at one commit a second they are 86,400 a day.
_PROPERTIES = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
}


@dataclass
class OpenTable:
    """An open table. `digest` is the content digest, and `compacted` the version of the last compaction."""

    name: str
    table: DeltaTable
    digest: str | None
    compacted: int

    @classmethod
    def open(cls, name: str, uri: str) -> OpenTable | None:
        """Open a table. None if it does not exist."""
        try:
            table = DeltaTable(uri)
        except TableNotFoundError:
            return None
        last: dict[str, Any] = next(iter(table.history(1)), {})
        return cls(name, table, last.get(DIGEST), table.version())

    @classmethod
    def create(
        cls, name: str, uri: str, rows: pa.Table, transactions: Mapping[str, int], metadata: Mapping[str, str]
    ) -> OpenTable:
        digest = chained_digest(None, rows)
        write_deltalake(
            uri,
            rows,
            mode="append",
            configuration=_PROPERTIES,
            commit_properties=_properties(digest, transactions, metadata),
        )
        return cls(name, DeltaTable(uri), digest, 0)

    @property
    def version(self) -> int:
        """The version of the last commit."""
        return self.table.version()

    def append(self, rows: pa.Table, transactions: Mapping[str, int], metadata: Mapping[str, str]) -> None:
        rows = self._with_table_types(rows)
        digest = chained_digest(self.digest, rows)
        known = {field.name for field in self.table.schema().fields}
        write_deltalake(
            self.table,
            rows,
            mode="append",
            schema_mode=None if set(rows.column_names) == known else "merge",
            commit_properties=_properties(digest, transactions, metadata),
        )
        self.digest = digest

    def _with_table_types(self, rows: pa.Table) -> pa.Table:
        """Return the rows with the table's column types. A column whose types conflict becomes text in both."""
        known = pa.schema(self.table.schema().to_arrow())
        conflicting = conflicting_columns(rows, known)
        if to_widen := {name for name in conflicting if known.field(name).type != pa.string()}:
            self._widen(to_widen)
        return as_text(rows, conflicting)

    def _widen(self, names: set[str]) -> None:
        """Rewrite the table with columns as text. This is rare: a feature changed its type, or a label its task."""
        rows = as_text(self._rows(), names).combine_chunks()
        write_deltalake(
            self.table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=self._same_rows()
        )

    def _rows(self) -> pa.Table:
        try:
            return self.table.to_pyarrow_table()
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and not storage_errors.file_is_lost(error):
                raise
            raise TableDamagedError(self.name, object_store.reason(error)) from error

    def compact(self) -> None:
        """Rewrite many small files as one. Rows and digest stay the same."""
        self.table.optimize.compact(commit_properties=self._same_rows())
        self.compacted = self.version

    def _same_rows(self) -> CommitProperties:
        return CommitProperties(custom_metadata={DIGEST: self.digest or ""})

    def commits(self, after: int) -> list[Commit]:
        """Return the commits with a digest after version `after`, oldest first."""
        newer = self.version - after
        history = self.table.history(newer) if newer > 0 else []
        return [_commit(entry) for entry in reversed(history) if entry.get(DIGEST)]


def _properties(digest: str, transactions: Mapping[str, int], metadata: Mapping[str, str]) -> CommitProperties:
    return CommitProperties(
        custom_metadata={DIGEST: digest, **{f"{PREFIX}{key}": value for key, value in metadata.items()}},
        app_transactions=[Transaction(application, version) for application, version in transactions.items()],
    )


def _commit(entry: dict[str, Any]) -> Commit:
    found = {key.removeprefix(PREFIX): str(value) for key, value in entry.items() if key.startswith(PREFIX)}
    return Commit(entry["version"], found.pop("digest"), found)
