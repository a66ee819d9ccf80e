"""What the log of a Delta table tells: the newest time in it, the order of its batches, the digest of its rows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from rondo.trainer.dataset.batches import BATCH_ID
from rondo.trainer.dataset.columns import BEGINNING, TIME

if TYPE_CHECKING:
    from deltalake import DeltaTable

# Where ingestion keeps the chained digest of what a commit added, and the batch that it is of; commits that add nothing
# (OPTIMIZE) have neither.
DIGEST_KEY, BATCH_KEY = "rondo.digest", f"rondo.{BATCH_ID}"
_COMMITS_SEARCHED = 20
_STATISTICS_STEP = timedelta(milliseconds=1)


def newest(table: DeltaTable | None, columns: tuple[str, ...], horizon: datetime) -> datetime | None:
    """Return the newest time until `horizon`, at most a millisecond late; None where there is none.

    The time of a row is the first of `columns` that it has. The statistics tell it where they are enough: those are cut
    to milliseconds, so one is added. Else the rows do.
    """
    if table is None or columns[0] not in {field.name for field in table.schema().fields}:
        return None
    if told := _within(_told(table, columns), horizon):
        return told + _STATISTICS_STEP
    return _within(pl.scan_delta(table).select(pl.coalesce(*columns).cast(TIME).alias("time")), horizon)


def publications(table: DeltaTable) -> dict[str, int]:
    """Return the version that each batch of a table came with."""
    return {str(commit[BATCH_KEY]): int(commit["version"]) for commit in table.history() if BATCH_KEY in commit}


def digest(table: DeltaTable) -> str:
    """Return the digest that ingestion chained, or one of the table's files where a foreign writer left none."""
    for commit in table.history(_COMMITS_SEARCHED):
        if found := commit.get(DIGEST_KEY):
            return str(found)
    files = sorted(uri.rpartition("/")[2] for uri in table.file_uris())
    listed = hashlib.sha256(" ".join(files).encode())
    return f"sha256:{listed.hexdigest()}"


def _told(table: DeltaTable, columns: tuple[str, ...]) -> pl.LazyFrame:
    """Return the largest of the statistics; nothing where they don't tell: of a file, or of rows with other times.

    A time after the year 9999 is null in them, which must not be taken for a file without rows.
    """
    adds, largest = pl.DataFrame(table.get_add_actions(flatten=True)), f"max.{columns[0]}"
    if largest not in adds.columns or adds[largest].null_count():
        return pl.LazyFrame(schema={"time": TIME})
    if len(columns) > 1 and adds[f"null_count.{columns[0]}"].sum():
        return pl.LazyFrame(schema={"time": TIME})
    return adds.lazy().select(pl.col(largest).max().cast(TIME).alias("time"))


def _within(times: pl.LazyFrame, horizon: datetime) -> datetime | None:
    time = pl.col("time")
    found = times.filter(time >= BEGINNING, time <= horizon).max().collect().item()
    return found.astimezone(UTC) if isinstance(found, datetime) else None
