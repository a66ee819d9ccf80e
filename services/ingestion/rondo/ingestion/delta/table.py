"""One Delta table, open for its only writer: the types of its columns, its digest, its files and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from rondo.ingestion.delta.column_types import as_text, at_odds
from rondo.ingestion.delta.content_digest import chained
from rondo.ingestion.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DIGEST = "rondo.digest"
NOTE = "rondo."
# A model version names the data version that it learned from for as long as anybody may ask. Delta would delete the log
# that says what a version held after 30 days. The files themselves stay as long as nobody runs VACUUM, and nobody may;
# so a checkpoint need not list those that compactions have replaced: at a commit a second they are 86,400 a day.
_PROPERTIES = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
}


@dataclass
class OpenTable:
    """`digest` is the content's, and `compacted` the version of the last compaction."""

    table: DeltaTable
    digest: str | None
    compacted: int

    @classmethod
    def open(cls, folder: Path) -> OpenTable | None:
        """Open a table; None where there is none."""
        try:
            table = DeltaTable(str(folder))
        except TableNotFoundError:
            return None
        last: dict[str, Any] = table.history(1)[0]
        return cls(table, last.get(DIGEST), table.version())

    @classmethod
    def create(cls, folder: Path, rows: pa.Table, marks: Mapping[str, int], notes: Mapping[str, str]) -> OpenTable:
        """Make a table of its first rows."""
        digest = chained(None, rows)
        folder.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            str(folder),
            rows,
            mode="append",
            configuration=_PROPERTIES,
            commit_properties=_properties(digest, marks, notes),
        )
        return cls(DeltaTable(str(folder)), digest, 0)

    @property
    def version(self) -> int:
        """The version that the last commit made."""
        return self.table.version()

    def append(self, rows: pa.Table, marks: Mapping[str, int], notes: Mapping[str, str]) -> None:
        """Append rows in one commit; the table gets columns that it lacks."""
        self._keep_history()
        rows = self._agreed(rows)
        digest = chained(self.digest, rows)
        known = {field.name for field in self.table.schema().fields}
        write_deltalake(
            self.table,
            rows,
            mode="append",
            schema_mode=None if set(rows.column_names) == known else "merge",
            commit_properties=_properties(digest, marks, notes),
        )
        self.digest = digest

    def _keep_history(self) -> None:
        """Let a table that was made without it keep its history from now on."""
        if not self.table.metadata().configuration.items() >= _PROPERTIES.items():
            self.table.alter.set_table_properties(_PROPERTIES, commit_properties=self._same_rows())

    def _agreed(self, rows: pa.Table) -> pa.Table:
        """Return the rows with the types of the table; where the two are at odds, both become text."""
        known = pa.schema(self.table.schema().to_arrow())
        odd = at_odds(rows, known)
        if widened := {name for name in odd if known.field(name).type != pa.string()}:
            self._widen(widened)
        return as_text(rows, odd)

    def _widen(self, names: set[str]) -> None:
        """Rewrite the table with columns as text. That is rare: a feature changed its type under the same name."""
        rows = as_text(self.table.to_pyarrow_table(), names).combine_chunks()
        write_deltalake(
            self.table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=self._same_rows()
        )

    def compact(self) -> None:
        """Make one file of many small ones. The rows stay the same, and so does the digest."""
        self.table.optimize.compact(commit_properties=self._same_rows())
        self.compacted = self.version

    def _same_rows(self) -> CommitProperties:
        return CommitProperties(custom_metadata={DIGEST: self.digest or ""})

    def commits(self, after: int) -> list[Commit]:
        """Return the commits with a digest after version `after`, oldest first."""
        newer = self.version - after
        history = self.table.history(newer) if newer > 0 else []
        return [_commit(entry) for entry in reversed(history) if entry.get(DIGEST)]


def _properties(digest: str, marks: Mapping[str, int], notes: Mapping[str, str]) -> CommitProperties:
    return CommitProperties(
        custom_metadata={DIGEST: digest, **{f"{NOTE}{key}": value for key, value in notes.items()}},
        app_transactions=[Transaction(application, position) for application, position in marks.items()],
    )


def _commit(entry: dict[str, Any]) -> Commit:
    notes = {key.removeprefix(NOTE): str(value) for key, value in entry.items() if key.startswith(NOTE)}
    return Commit(entry["version"], notes.pop("digest"), notes)
