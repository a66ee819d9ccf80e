"""Reads the Delta tables that ingestion writes."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from rondo.chassis import object_store
from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.data import DataVersion
from rondo.contracts.locations import local_folder
from rondo.trainer.dataset import delta_log, training_set
from rondo.trainer.dataset.feature_join import SourceTable
from rondo.trainer.dataset.training_set import Tables, TrainingSet
from rondo.trainer.errors import DataDamagedError, DatasetMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec

    _Table: TypeAlias = "NamedTable | None"


class NamedTable(DeltaTable):
    """A table with its name below the root."""

    def __init__(self, root: str, name: str) -> None:
        super().__init__(f"{root}/{name}")
        self.name = name

    def file_uris(self, *arguments: Any, **keywords: Any) -> list[str]:
        """Return the paths of the files, or their URLs in an object store.

        delta-rs percent-encodes them, and polars opens them as they are.
        """
        return [unquote(uri) for uri in super().file_uris(*arguments, **keywords)]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class DeltaDatasets:
    """`ports.Datasets`: the tables under `root`, a folder or a URL. `clock` bounds the plausible times."""

    def __init__(self, root: str, clock: Callable[[], datetime] = wall_clock) -> None:
        folder = local_folder(root)
        self._root = str(folder.absolute()) if folder is not None else root.rstrip("/")
        self._clock = clock

    def rows_at_most(self, spec: ModelSpec) -> int:
        # One outcome may belong to any number of predictions of its entity, so the number of predictions is the bound.
        with self._translated_errors():
            published, served, outcomes = self._open(spec)
            return _rows(published) + (_rows(served) if _rows(outcomes) else 0)

    def read(self, spec: ModelSpec, at: datetime, sources: tuple[SourceDataset, ...] = ()) -> TrainingSet:
        with self._translated_errors():
            return self._read(spec, at, sources)

    def _read(self, spec: ModelSpec, at: datetime, sources: tuple[SourceDataset, ...]) -> TrainingSet:
        opened = self._open(spec)
        published, served, outcomes = opened
        latest = training_set.latest_plausible(self._clock())
        as_of = training_set.known_as_of(at, delta_log.newest_time(outcomes, "known_at", latest), latest)
        # Each table is read at one version.
        opened_sources = [self._table(f"datasets/{source.dataset}") for source in sources]
        joined_from = tuple(
            SourceTable(source, _scan(table), _publications(table))
            for source, table in zip(sources, opened_sources, strict=True)
        )
        tables = Tables(_scan(published), _scan(served), _scan(outcomes), _publications(published), joined_from)
        feedback = training_set.join_feedback(spec, tables, as_of)
        # Without a window all rows count, so they are joined once. With one each query joins only the columns it needs.
        joined = feedback.collect() if feedback is not None and spec.trainer.window is None else None
        served_times = feedback if joined is None else joined.lazy()
        newest = (
            delta_log.newest_labelled(published, spec, as_of),
            _newest_served(spec, served_times, as_of),
        )
        since, until = training_set.window(spec, as_of, max(filter(None, newest), default=None))
        rows = training_set.assemble(spec, tables, since, until, as_of, joined)
        versions = tuple(_version(table) for table in (*opened, *opened_sources) if table is not None)
        if tables.published is None:
            return TrainingSet(rows, versions, as_of, since, until, sources=sources)
        left_out, outside = training_set.rows_left_out(spec, tables.published, since, until, rows, joined_from)
        return TrainingSet(rows, versions, as_of, since, until, left_out, outside, sources)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate errors that a retry may resolve. delta-rs and polars raise OSError for disks and object stores."""
        try:
            yield
        except FileNotFoundError:
            raise  # the table's log names the file, so a retry does not help
        except OSError as error:
            raise UnavailableError(f"the data under {self._root}", object_store.reason(error)) from error
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
        return NamedTable(self._root, name) if DeltaTable.is_deltatable(f"{self._root}/{name}") else None


def _version(table: NamedTable) -> DataVersion:
    return DataVersion(table=table.name, version=table.version(), digest=delta_log.digest(table))


def _publications(table: _Table) -> dict[str, int]:
    return {} if table is None else delta_log.publications(table)


def _scan(table: _Table) -> pl.LazyFrame | None:
    return None if table is None else pl.scan_delta(table)


def _newest_served(spec: ModelSpec, feedback: pl.LazyFrame | None, as_of: datetime) -> datetime | None:
    """Return the newest event time of a prediction that has an outcome."""
    if feedback is None:
        return None
    return delta_log.newest(feedback.select(pl.col(spec.data.event_time).alias("time")), as_of)


def _rows(table: _Table) -> int:
    return 0 if table is None else int(table.count())
