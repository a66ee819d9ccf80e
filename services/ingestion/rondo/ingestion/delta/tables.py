"""Delta tables with a single writer: this process.

The rows of a commit, its transaction identifiers and its metadata become visible together or not at all, so a recorded
offset always matches the rows (Delta protocol, "Transaction Identifiers").
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
from deltalake.exceptions import DeltaError

from rondo.ingestion import metrics
from rondo.ingestion.delta import damage, storage_errors
from rondo.ingestion.delta.column_types import normalize
from rondo.ingestion.delta.location import Location
from rondo.ingestion.delta.table import OpenTable
from rondo.ingestion.errors import TableDamagedError
from rondo.ingestion.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

log = logging.getLogger(__name__)
# Each commit adds one small file. After this many commits the files are compacted.
_COMPACT_EVERY = 200


class DeltaTables:
    """The tables under `root`, a folder or the URL of an object store.

    Each method with the name of a table raises TableDamagedError if files of the table are damaged or lost.
    """

    def __init__(self, root: str, compact_every: int = _COMPACT_EVERY) -> None:
        self._root = Location(root)
        self._compact_every = compact_every
        self._open: dict[str, OpenTable] = {}
        self._damaged: set[str] = set()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def append(
        self, name: str, rows: pa.Table | pl.DataFrame, transactions: Mapping[str, int], metadata: Mapping[str, str]
    ) -> Commit:
        """Append rows in one commit. Creates the table if there is none.

        Raises:
            UnavailableError: the storage is full or can't be written. Nothing became visible.
            TableDamagedError: files of the table are damaged or lost.

        """
        # One chunk, because delta-rs writes several in an arbitrary order, and the digest depends on the order of rows.
        data = normalize(rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows).combine_chunks()
        with self._locks[name], self._using(name), self._changing(name):
            if opened := self._table(name):
                opened.append(data, transactions, metadata)
            else:
                self._root.create(name)
                opened = self._open[name] = OpenTable.create(name, self._root.uri(name), data, transactions, metadata)
            # The version is that of these rows, not of a later compaction: a restart reads the same version from the
            # log.
            commit = Commit(opened.version, opened.digest or "", dict(metadata))
            self._compact(name, opened)
            return commit

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # Only the table knows whether the commit succeeded, so it is opened again (delta-rs #2279).
            self._open.pop(name, None)
            if isinstance(error, DeltaError) and not storage_errors.is_of_storage(error):
                self._table(name)  # it raises if the table is damaged. Otherwise delta-rs refused the rows
            raise

    @contextmanager
    def _using(self, name: str) -> Iterator[None]:
        """Record whether the table is damaged, and translate errors of its storage."""
        try:
            with storage_errors.translated(self._root):
                yield
        except TableDamagedError as error:
            self._open.pop(name, None)
            if name not in self._damaged:
                log.error("%s", error)  # noqa: TRY400 - it says everything
                self._damaged.add(name)
                metrics.DAMAGED.labels(name).set(1)
            raise
        if name in self._damaged:
            self._damaged.remove(name)
            metrics.DAMAGED.remove(name)

    def _compact(self, name: str, opened: OpenTable) -> None:
        """Compact the table if enough commits were made since the last compaction.

        The rows are already committed, so a failure here is logged, and retried after the same number of commits.
        """
        if opened.version - opened.compacted < self._compact_every:
            return
        try:
            opened.compact()
        except (OSError, DeltaError) as error:
            why = storage_errors.describe(error, self._root)
            log.warning("%s is not compacted, no row is affected: %s", name, why)
            self._open.pop(name)

    def _table(self, name: str) -> OpenTable | None:
        if name not in self._open:
            with damage.as_errors(self._root, name):
                opened = OpenTable.open(name, self._root.uri(name))
            if opened is None:
                return None
            if (problem := damage.lost_commit(self._root, name, opened.version)) is not None:
                raise TableDamagedError(name, problem)
            self._open[name] = opened
        return self._open[name]

    @contextmanager
    def _reading(self, name: str) -> Iterator[OpenTable | None]:
        with self._locks[name], self._using(name), damage.as_errors(self._root, name):
            yield self._table(name)

    def transaction_version(self, name: str, application: str) -> int | None:
        with self._reading(name) as opened:
            return opened.table.transaction_version(application) if opened else None

    def commits(self, name: str, after: int = -1) -> list[Commit]:
        with self._reading(name) as opened:
            return opened.commits(after) if opened else []

    def names(self, folder: str) -> list[str]:
        with storage_errors.translated(self._root):
            return self._root.names(folder)

    def scan(self, name: str) -> pl.LazyFrame | None:
        with self._reading(name) as opened:
            # polars.scan_delta does not decode paths, so it finds no file in a folder with a blank in its name.
            return pl.scan_pyarrow_dataset(opened.table.to_pyarrow_dataset()) if opened else None

    def current(self, name: str) -> Commit | None:
        """Return the latest version of a table and its digest."""
        with self._reading(name) as opened:
            return Commit(opened.version, opened.digest or "") if opened else None
