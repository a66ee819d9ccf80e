"""Delta tables on disk, with one writer each: this process.

What a commit holds, its marks (the table's `app_transactions`) and its notes appear together or not at all; so a
position is never ahead of its rows, nor behind them (Delta protocol, "Transaction Identifiers").
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from contextlib import contextmanager
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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)
DIGEST = "rondo.digest"
NOTE = "rondo."
# Each commit adds one small file; once there are this many, they are made one.
_COMPACT_EVERY = 200
# What the system says of ENOSPC, EDQUOT and EFBIG.
_NO_ROOM = ("No space left", "quota", "File too large")


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
        # In one piece: of several, delta-rs writes first whichever comes first, and the digest is of rows in order.
        data = plain(rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows).combine_chunks()
        with self._locks[name], self._changing(name):
            opened = self._table(name)
            if opened:
                data = self._agreed(opened, data)
            digest = chained(opened.digest if opened else None, data)
            properties = CommitProperties(
                custom_metadata={DIGEST: digest, **{f"{NOTE}{key}": value for key, value in notes.items()}},
                app_transactions=[Transaction(application, position) for application, position in marks.items()],
            )
            self._write(name, opened, data, properties)
            # The version of these rows, and of no compaction after them: a restart reads the same one in the log.
            version = self._remember(name, opened, digest)
            self._compact(name)
            return Commit(version, digest, dict(notes))

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # Whether it was committed is in the table, not in our memory of it (delta-rs #2279).
            self._open.pop(name, None)
            # delta-rs wraps what the system said in whatever it was doing just then.
            if isinstance(error, OSError) or (isinstance(error, DeltaError) and "os error" in str(error)):
                raise UnavailableError("the disk of the data", _said(error)) from error
            raise

    def _write(self, name: str, opened: _Open | None, data: pa.Table, properties: CommitProperties) -> None:
        folder = self._root / name
        known = {field.name for field in opened.table.schema().fields} if opened else set(data.column_names)
        folder.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            opened.table if opened else str(folder),
            data,
            mode="append",
            schema_mode=None if set(data.column_names) == known else "merge",
            commit_properties=properties,
        )

    def _agreed(self, opened: _Open, data: pa.Table) -> pa.Table:
        """Return the rows with the types of the table; where the two are at odds, both become text."""
        known = pa.schema(opened.table.schema().to_arrow())
        odd = at_odds(data, known)
        if widened := {name for name in odd if known.field(name).type != pa.string()}:
            self._widen(opened, widened)
        return as_text(data, odd)

    def _widen(self, opened: _Open, names: set[str]) -> None:
        """Rewrite a table with columns as text. That is rare: a feature changed its type under the same name."""
        rows = as_text(opened.table.to_pyarrow_table(), names).combine_chunks()
        kept = CommitProperties(custom_metadata={DIGEST: opened.digest})
        write_deltalake(opened.table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=kept)

    def _remember(self, name: str, opened: _Open | None, digest: str) -> int:
        if opened is None:
            opened = self._open[name] = _Open(DeltaTable(str(self._root / name)), digest, 0)
        opened.digest = digest
        return opened.table.version()

    def _compact(self, name: str) -> None:
        """Make one file of many small ones, now and then. The rows stay the same, and so does the digest.

        The rows are committed: a failure here is no failure of theirs. It is tried again after as many commits.
        """
        opened = self._open[name]
        if opened.table.version() - opened.compacted < self._compact_every:
            return
        try:
            opened.table.optimize.compact(commit_properties=CommitProperties(custom_metadata={DIGEST: opened.digest}))
        except (OSError, DeltaError) as error:
            log.warning("%s keeps its small files for now, and all its rows: %s", name, _said(error))
            self._open.pop(name)
        else:
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
    text = (str(error) or type(error).__name__).splitlines()[0][:300]
    return f"{text}; free some space" if any(each in text for each in _NO_ROOM) else text


def _commit(entry: dict[str, Any]) -> Commit:
    notes = {key.removeprefix(NOTE): str(value) for key, value in entry.items() if key.startswith(NOTE)}
    return Commit(entry["version"], notes.pop("digest"), notes)
