"""Reads the log of a Delta table: its newest time, the order of its batches, the digest of its rows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from rondo.trainer.dataset.batches import BATCH_ID
from rondo.trainer.dataset.columns import BEGINNING, TIME, label

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from rondo.contracts.spec.model import ModelSpec

# Ingestion writes the chained digest of what a commit added, and its batch, under these keys. Commits that add nothing
# (OPTIMIZE) have neither.
DIGEST_KEY, BATCH_KEY = "rondo.digest", f"rondo.{BATCH_ID}"
_COMMITS_SEARCHED = 20
# Delta truncates the largest time of a file to milliseconds.
_STATISTICS_STEP = timedelta(milliseconds=1)


def newest_time(table: DeltaTable | None, column: str, until: datetime) -> datetime | None:
    """Return the newest time of a column up to `until`, rounded up by a millisecond at most. None where there is none.

    It comes from the statistics of the files if they are complete and their newest time is not after `until`. Otherwise
    it comes from the rows.
    """
    names = () if table is None else {field.name for field in table.schema().fields}
    if table is None or column not in names:
        return None
    if found := newest(_from_statistics(table, column), until):
        return found + _STATISTICS_STEP
    return newest(pl.scan_delta(table).select(pl.col(column).cast(TIME).alias("time")), until)


def newest_labelled(table: DeltaTable | None, spec: ModelSpec, until: datetime) -> datetime | None:
    """Return the newest event time up to `until` of a row with a label of the task, as `newest_time` does.

    The statistics count only missing values, so they suffice only for numeric labels: a text may be no label.
    """
    names = () if table is None else {field.name for field in table.schema().fields}
    time, stored = spec.data.event_time, spec.data.label
    if table is None or time not in names or stored not in names:
        return newest_time(table, time, until)
    rows = pl.scan_delta(table)
    dtype = rows.collect_schema()[stored]
    if dtype.is_numeric() and (found := newest(_from_statistics(table, time, stored), until)):
        return found + _STATISTICS_STEP
    labelled = rows.filter(label(spec, pl.col(stored), dtype).is_not_null())
    return newest(labelled.select(pl.col(time).cast(TIME).alias("time")), until)


def newest(times: pl.LazyFrame, until: datetime) -> datetime | None:
    """Return the newest value of the column `time` up to `until`. None where there is none."""
    time = pl.col("time")
    found = times.select(time).filter(time >= BEGINNING, time <= until).max().collect().item()
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def publications(table: DeltaTable) -> dict[str, int]:
    """Return the version of the table that each batch was committed with."""
    return {str(commit[BATCH_KEY]): int(commit["version"]) for commit in table.history() if BATCH_KEY in commit}


def digest(table: DeltaTable) -> str:
    """Return the chained digest that ingestion wrote, or a digest of the table's files if another writer wrote none."""
    for commit in table.history(_COMMITS_SEARCHED):
        if found := commit.get(DIGEST_KEY):
            return str(found)
    files = sorted(uri.rpartition("/")[2] for uri in table.file_uris())
    listed = hashlib.sha256(" ".join(files).encode())
    return f"sha256:{listed.hexdigest()}"


def _from_statistics(table: DeltaTable, column: str, complete: str | None = None) -> pl.LazyFrame:
    """Return the largest time of the files' statistics as one row, or no row if the statistics do not suffice.

    They do not suffice if a file has no largest time, or may lack a value of the column `complete`. A time after the
    year 9999 is null in the statistics, so a file without a largest time may still have rows.
    """
    adds = pl.DataFrame(table.get_add_actions(flatten=True))
    largest, missing = f"max.{column}", f"null_count.{complete}"
    unknown = pl.LazyFrame(schema={"time": TIME})
    if largest not in adds.columns or adds[largest].null_count():
        return unknown
    if complete is not None and (missing not in adds.columns or adds[missing].fill_null(1).sum()):
        return unknown
    return adds.lazy().select(pl.col(largest).max().cast(TIME).alias("time"))
