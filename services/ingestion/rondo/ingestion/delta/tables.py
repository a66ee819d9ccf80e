"""Delta tables on disk, with one writer each: this process.

What a commit holds, its marks (the table's `app_transactions`) and its notes appear together or not at all; so a
position is never ahead of its rows, nor behind them (Delta protocol, "Transaction Identifiers").
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
from deltalake.exceptions import DeltaError

from rondo.ingestion.delta import disk_errors
from rondo.ingestion.delta.column_types import plain
from rondo.ingestion.delta.table import OpenTable
from rondo.ingestion.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

log = logging.getLogger(__name__)
# Each commit adds one small file; once there are this many, they are made one.
_COMPACT_EVERY = 200


class DeltaTables:
    """The tables under `root`."""

    def __init__(self, root: Path, compact_every: int = _COMPACT_EVERY) -> None:
        self._root = root
        self._compact_every = compact_every
        self._open: dict[str, OpenTable] = {}
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
            if opened := self._table(name):
                opened.append(data, marks, notes)
            else:
                opened = self._open[name] = OpenTable.create(self._root / name, data, marks, notes)
            # The version of these rows, and of no compaction after them: a restart reads the same one in the log.
            commit = Commit(opened.version, opened.digest or "", dict(notes))
            self._compact(name, opened)
            return commit

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # Whether it was committed is in the table, not in our memory of it (delta-rs #2279).
            self._open.pop(name, None)
            # delta-rs wraps what the system said in whatever it was doing just then.
            if isinstance(error, OSError) or (isinstance(error, DeltaError) and "os error" in str(error)):
                raise disk_errors.away(error, self._root) from error
            raise

    def _compact(self, name: str, opened: OpenTable) -> None:
        """Make one file of many small ones, now and then.

        The rows are committed: a failure here is no failure of theirs. It is tried again after as many commits.
        """
        if opened.version - opened.compacted < self._compact_every:
            return
        try:
            opened.compact()
        except (OSError, DeltaError) as error:
            why = disk_errors.said(error, self._root)
            log.warning("%s keeps its small files for now, and all its rows: %s", name, why)
            self._open.pop(name)

    def _table(self, name: str) -> OpenTable | None:
        if name not in self._open and (opened := OpenTable.open(self._root / name)):
            self._open[name] = opened
        return self._open.get(name)

    def mark(self, name: str, application: str) -> int | None:
        """Return the position that the table holds for an application id; None where it holds none."""
        with self._locks[name]:
            opened = self._table(name)
            return opened.table.transaction_version(application) if opened else None

    def commits(self, name: str, after: int = -1) -> list[Commit]:
        """Return the commits with notes after version `after`, oldest first."""
        with self._locks[name]:
            opened = self._table(name)
            return opened.commits(after) if opened else []

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
            return Commit(opened.version, opened.digest or "") if opened else None
