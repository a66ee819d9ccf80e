"""Reads the Delta tables that ingestion writes; never writes one."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
from deltalake import DeltaTable

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.data import DataVersion
from rondo.trainer.dataset import delta_log, training_set
from rondo.trainer.dataset.feedback import EVENT_TIMES
from rondo.trainer.dataset.training_set import Tables, TrainingSet
from rondo.trainer.errors import DataDamagedError, DatasetMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from rondo.contracts.spec.model import ModelSpec

    _Table: TypeAlias = DeltaTable | None


def wall_clock() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


class DeltaDatasets:
    """The tables under `root`, a folder or a URL. `clock` tells what lies in the future."""

    def __init__(self, root: str, clock: Callable[[], datetime] = wall_clock) -> None:
        self._root = root.rstrip("/")
        self._clock = clock

    def rows_at_most(self, spec: ModelSpec) -> int:
        """Return an upper bound of the rows there are, from the tables' logs alone.

        One outcome may be that of any number of predictions of its entity, so outcomes bound nothing but by their lack.

        Raises:
            DatasetMissingError: there is no data at all.
            UnavailableError: the storage does not answer.

        """
        with self._reachable():
            published, served, outcomes = self._open(spec)
            return _rows(published) + (_rows(served) if _rows(outcomes) else 0)

    def read(self, spec: ModelSpec, at: datetime) -> TrainingSet:
        """Return the training set for a trigger at this event time; each table is read at one version.

        Raises:
            DatasetMissingError: there is no data at all.
            ColumnMissingError: the data lacks a column that the spec names.
            DataDamagedError: a file is not what its table says.
            UnavailableError: the storage does not answer.

        """
        with self._reachable():
            return self._read(spec, at)

    def _read(self, spec: ModelSpec, at: datetime) -> TrainingSet:
        opened = self._open(spec)
        as_of, since, until = self._times(spec, at, *opened)
        publications = {} if opened[0] is None else delta_log.publications(opened[0])
        published, served, outcomes = (None if table is None else pl.scan_delta(table) for table in opened)
        tables = Tables(published, served, outcomes, publications)
        rows = training_set.assemble(spec, tables, as_of, since)
        versions = tuple(self._version(table) for table in opened if table is not None)
        return TrainingSet(rows, versions, as_of, until)

    def _times(
        self, spec: ModelSpec, at: datetime, published: _Table, served: _Table, outcomes: _Table
    ) -> tuple[datetime, datetime | None, datetime]:
        """Return until when outcomes count, and after and until when rows do."""
        horizon = training_set.horizon(self._clock())
        as_of = training_set.known_as_of(at, delta_log.newest(outcomes, ("known_at",), horizon), horizon)
        newest = (
            delta_log.newest(published, (spec.data.event_time,), horizon),
            delta_log.newest(served, EVENT_TIMES, horizon),
        )
        since, until = training_set.window(spec, as_of, max(filter(None, newest), default=None))
        return as_of, since, until

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Tell what passes from what does not: delta-rs and polars raise OSError for a disk and for an object store."""
        try:
            yield
        except FileNotFoundError:
            raise  # the table's log names it: waiting brings no file back
        except OSError as error:
            raise UnavailableError(f"the data under {self._root}", " ".join(str(error).split())) from error
        except pl.exceptions.PanicException as error:
            raise DataDamagedError(self._root, str(error)) from error

    def _open(self, spec: ModelSpec) -> tuple[_Table, _Table, _Table]:
        published = self._table(f"datasets/{spec.data.dataset}")
        served = self._table(f"feedback/{spec.model}/predictions")
        outcomes = self._table(f"feedback/{spec.model}/outcomes")
        if published is None and (served is None or outcomes is None):
            raise DatasetMissingError(spec.data.dataset)
        return published, served, outcomes

    def _table(self, name: str) -> _Table:
        uri = f"{self._root}/{name}"
        return DeltaTable(uri) if DeltaTable.is_deltatable(uri) else None

    def _version(self, table: DeltaTable) -> DataVersion:
        name = table.table_uri.rstrip("/").removeprefix("file://").rpartition(self._root.removeprefix("file://"))[2]
        return DataVersion(table=name.strip("/"), version=table.version(), digest=delta_log.digest(table))


def _rows(table: _Table) -> int:
    return 0 if table is None else int(table.count())
