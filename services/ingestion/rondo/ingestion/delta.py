"""Delta tables on disk, with one writer each: this process.

What a commit holds, its marks (the table's `app_transactions`) and its notes appear together or not at all; so a
position is never ahead of its rows, nor behind them (Delta protocol, "Transaction Identifiers").
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from rondo.chassis.failures import UnavailableError
from rondo.ingestion.column_types import as_text, at_odds, plain
from rondo.ingestion.digest import chained
from rondo.ingestion.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DIGEST = "rondo.digest"
NOTE = "rondo."
# Each commit adds one small file; once there are this many, they are made one.
_COMPACT_EVERY = 200


@dataclass
class _Open:
    table: DeltaTable
    digest: str | None
    compacted: int


class DeltaTables:
    """The tables under `root`."""

    def __init__(self, root: Path, compact_every: int = _COMPACT_EVERY) -> None:
        self._root = root
        self._compact_every = compact_every
        self._open: dict[str, _Open] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def append(
        self, name: str, rows: pa.Table | pl.DataFrame, marks: Mapping[str, int], notes: Mapping[str, str]
    ) -> Commit:
        """Append rows in one commit; the table is made when it is not there, and gets columns that it lacks.

        Raises:
            UnavailableError: the disk is full or can't be written; nothing became visible.

        """
        data = plain(rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows)
        with self._locks[name]:
            opened = self._table(name)
            if opened:
                data = self._agreed(opened, data)
            digest = chained(opened.digest if opened else None, data)
            properties = CommitProperties(
                custom_metadata={DIGEST: digest, **{f"{NOTE}{key}": value for key, value in notes.items()}},
                app_transactions=[Transaction(application, position) for application, position in marks.items()],
            )
            try:
                self._write(name, opened, data, properties)
            except BaseException:
                # Whether it was committed is in the table, not in our memory of it (delta-rs #2279).
                self._open.pop(name, None)
                raise
            self._remember(name, opened, digest)
            return Commit(self._open[name].table.version(), digest, dict(notes))

    def _write(self, name: str, opened: _Open | None, data: pa.Table, properties: CommitProperties) -> None:
        folder = self._root / name
        known = {field.name for field in opened.table.schema().fields} if opened else set(data.column_names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_deltalake(
                opened.table if opened else str(folder),
                data,
                mode="append",
                schema_mode=None if set(data.column_names) == known else "merge",
                commit_properties=properties,
            )
        except (OSError, DeltaError) as error:
            # delta-rs wraps what the system said in whatever it was doing just then.
            if isinstance(error, OSError) or "os error" in str(error):
                raise UnavailableError("the disk of the data", _said(error)) from error
            raise

    def _agreed(self, opened: _Open, data: pa.Table) -> pa.Table:
        """Return the rows with the types of the table; where the two are at odds, both become text."""
        known = pa.schema(opened.table.schema().to_arrow())
        odd = at_odds(data, known)
        if widened := {name for name in odd if known.field(name).type != pa.string()}:
            self._widen(opened, widened)
        return as_text(data, odd)

    def _widen(self, opened: _Open, names: set[str]) -> None:
        """Rewrite a table with columns as text. That is rare: a feature changed its type under the same name."""
        rows = as_text(opened.table.to_pyarrow_table(), names)
        kept = CommitProperties(custom_metadata={DIGEST: opened.digest})
        write_deltalake(opened.table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=kept)

    def _remember(self, name: str, opened: _Open | None, digest: str) -> None:
        if opened is None:
            self._open[name] = _Open(DeltaTable(str(self._root / name)), digest, 0)
        else:
            opened.digest = digest
            if opened.table.version() - opened.compacted >= self._compact_every:
                self._compact(opened)

    def _compact(self, opened: _Open) -> None:
        """Make one file of many small ones. The rows stay the same, and so does the digest."""
        opened.table.optimize.compact(commit_properties=CommitProperties(custom_metadata={DIGEST: opened.digest}))
        opened.compacted = opened.table.version()

    def _table(self, name: str) -> _Open | None:
        if name not in self._open:
            try:
                table = DeltaTable(str(self._root / name))
            except TableNotFoundError:
                return None
            last: dict[str, Any] = table.history(1)[0]
            self._open[name] = _Open(table, last.get(DIGEST), table.version())
        return self._open[name]

    def mark(self, name: str, application: str) -> int | None:
        """Return the position that the table holds for an application id; None where it holds none."""
        with self._locks[name]:
            opened = self._table(name)
            return opened.table.transaction_version(application) if opened else None

    def commits(self, name: str, after: int = -1) -> list[Commit]:
        """Return the commits with notes after version `after`, oldest first."""
        with self._locks[name]:
            opened = self._table(name)
            newer = opened.table.version() - after if opened else 0
            history = opened.table.history(newer) if opened and newer > 0 else []
        return [_commit(entry) for entry in reversed(history) if entry.get(DIGEST)]

    def names(self, folder: str) -> list[str]:
        """Return the names of the things in a folder of tables."""
        place = self._root / folder
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []

    def tail(self, name: str, rows: int, batch_id: str | None = None) -> list[dict[str, Any]]:
        """Return the last rows of a table (of one batch, where it is named) as plain values."""
        with self._locks[name]:
            opened = self._table(name)
        if opened is None:
            return []
        frame = pl.scan_delta(str(self._root / name))
        chosen = frame.filter(pl.col("batch_id") == batch_id) if batch_id else frame
        return chosen.tail(rows).collect().to_dicts()

    def current(self, name: str) -> Commit | None:
        """Return the latest version of a table and its digest."""
        with self._locks[name]:
            opened = self._table(name)
            return Commit(opened.table.version(), opened.digest or "") if opened else None


def _said(error: Exception) -> str:
    """Return what the system said of a failed write, and whether people can do something about it."""
    text = str(error).splitlines()[0][:300]
    return f"{text}; free some space" if "No space left" in text or "quota" in text else text


def _commit(entry: dict[str, Any]) -> Commit:
    notes = {key.removeprefix(NOTE): str(value) for key, value in entry.items() if key.startswith(NOTE)}
    return Commit(entry["version"], notes.pop("digest"), notes)
