"""Reads the Delta tables that ingestion writes; never writes one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
from deltalake import DeltaTable

from rondo.contracts.data import DataVersion
from rondo.trainer import training_set
from rondo.trainer.training_set import DatasetMissingError, Tables, TrainingSet

if TYPE_CHECKING:
    from rondo.contracts.spec import ModelSpec

# Where ingestion keeps the chained digest of what a commit added; commits that add nothing (OPTIMIZE) have none.
DIGEST_KEY = "rondo.digest"
_COMMITS_SEARCHED = 20
_STATISTICS_STEP = timedelta(milliseconds=1)


class DeltaDatasets:
    """The tables under `root`, a folder or a URL."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")

    def rows_at_most(self, spec: ModelSpec) -> int:
        """Return an upper bound of the rows there are, from the tables' logs alone.

        Raises:
            DatasetMissingError: there is no data at all.

        """
        published, served, outcomes = self._open(spec)
        return _rows(published) + min(_rows(served), _rows(outcomes))

    def read(self, spec: ModelSpec, at: datetime) -> TrainingSet:
        """Return the training set for a trigger at this event time; each table is read at one version.

        Raises:
            DatasetMissingError: there is no data at all.
            ColumnMissingError: the data lacks a column that the spec names.

        """
        opened = self._open(spec)
        published, served, outcomes = opened
        as_of = training_set.known_as_of(at, _newest(outcomes, "known_at"))
        newest = max(
            filter(None, (_newest(published, spec.data.event_time), _newest(served, "event_time"))), default=None
        )
        since, until = training_set.window(spec, as_of, newest)
        tables = Tables(*(None if table is None else _scan(table) for table in opened))
        rows = training_set.assemble(spec, tables, as_of, since)
        versions = tuple(self._version(table) for table in opened if table is not None)
        return TrainingSet(rows, versions, as_of, until)

    def _open(self, spec: ModelSpec) -> tuple[DeltaTable | None, DeltaTable | None, DeltaTable | None]:
        published = self._table(f"datasets/{spec.data.dataset}")
        served = self._table(f"feedback/{spec.model}/predictions")
        outcomes = self._table(f"feedback/{spec.model}/outcomes")
        if published is None and (served is None or outcomes is None):
            raise DatasetMissingError(spec.data.dataset)
        return published, served, outcomes

    def _table(self, name: str) -> DeltaTable | None:
        uri = f"{self._root}/{name}"
        return DeltaTable(uri) if DeltaTable.is_deltatable(uri) else None

    def _version(self, table: DeltaTable) -> DataVersion:
        name = table.table_uri.rstrip("/").removeprefix("file://").rpartition(self._root.removeprefix("file://"))[2]
        return DataVersion(table=name.strip("/"), version=table.version(), digest=_digest(table))


def _scan(table: DeltaTable) -> pl.LazyFrame:
    return pl.scan_delta(table)


def _adds(table: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(table.get_add_actions(flatten=True))


def _rows(table: DeltaTable | None) -> int:
    return 0 if table is None else int(table.count())


def _newest(table: DeltaTable | None, column: str) -> datetime | None:
    """Return the newest time in a column, at most a millisecond late; None where there is none.

    It is from the log's statistics where they have it: those are cut to milliseconds, so one is added.
    """
    if table is None:
        return None
    adds = _adds(table)
    newest = adds[f"max.{column}"].max() if f"max.{column}" in adds.columns else None
    if newest is None:
        newest = _scan(table).select(pl.col(column).max()).collect().item()
    return newest.astimezone(UTC) + _STATISTICS_STEP if isinstance(newest, datetime) else None


def _digest(table: DeltaTable) -> str:
    """Return the digest that ingestion chained, or one of the table's files where a foreign writer left none."""
    for commit in table.history(_COMMITS_SEARCHED):
        if found := commit.get(DIGEST_KEY):
            return str(found)
    files = sorted(uri.rpartition("/")[2] for uri in table.file_uris())
    listed = hashlib.sha256(" ".join(files).encode())
    return f"sha256:{listed.hexdigest()}"
