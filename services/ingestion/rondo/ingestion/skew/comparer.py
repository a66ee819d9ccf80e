"""Compares each accepted batch with the requests that its models answered, after the batch has been announced.

A batch waits in the store until it is compared, so a crash loses none. A batch is compared once: predictions that land
later are not compared. Apart from that the result does not depend on the time of the comparison.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

import polars as pl
import pyarrow as pa

from rondo.chassis.errors import PanicError, UnavailableError, panics_as_errors
from rondo.contracts.events.data import SkewMeasured
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.ingestion import metrics
from rondo.ingestion.batches.publisher import table_of
from rondo.ingestion.delta import storage_errors
from rondo.ingestion.errors import TableDamagedError
from rondo.ingestion.feedback import log_rows
from rondo.ingestion.skew import comparison
from rondo.ingestion.validation.contract import BATCH_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.events.data import BatchAccepted
    from rondo.contracts.spec.model import ModelSpec
    from rondo.ingestion.ports import ComparisonStore, Tables
    from rondo.ingestion.spec_cache import SpecCache

log = logging.getLogger(__name__)
# The interval in which the store is polled for batches, in seconds. No other step waits for the result.
PAUSE = 2.0
# Tables have rows of earlier specs, so a numeric column may have been text. A file may be damaged.
_UNREADABLE = (pl.exceptions.PolarsError, PanicError, pa.ArrowException, OSError, TableDamagedError)


@dataclass(frozen=True)
class Comparer:
    tables: Tables
    store: ComparisonStore
    specs: SpecCache

    async def tick(self) -> float:
        """Compare the waiting batches. Returns the seconds until the next poll.

        Raises:
            UnavailableError: PostgreSQL or the data storage is unavailable. The batch still waits.

        """
        while await self._compare_next():
            pass
        return PAUSE

    async def _compare_next(self) -> bool:
        async with self.store.next_batch() as waiting:
            if waiting is None:
                return False
            measured = await asyncio.to_thread(lambda: list(self._measured(waiting.batch)))
            await waiting.done([(each, event_id(each)) for each in measured])
            return True

    def _measured(self, batch: BatchAccepted) -> Iterator[SkewMeasured]:
        for spec in self.specs.of_dataset(batch.dataset):
            try:
                with panics_as_errors():
                    event = self._of_model(spec, batch)
            except UnavailableError:
                raise
            except Exception as error:  # the boundary: the service would process the same batch again, and no other one
                if isinstance(error, OSError) and not storage_errors.file_is_lost(error):
                    raise UnavailableError("the data storage", str(error)) from error
                metrics.UNCOMPARED.inc()
                trace = None if isinstance(error, _UNREADABLE) else error
                log.warning("%s: batch %s is not compared: %s", spec.model, batch.batch_id, error, exc_info=trace)
            else:
                if event is not None:
                    yield event

    def _of_model(self, spec: ModelSpec, batch: BatchAccepted) -> SkewMeasured | None:
        published = self.tables.scan(table_of(batch.dataset))
        predictions = self.tables.scan(log_rows.table_of(spec.model, PREDICTIONS_LOG))
        if published is None or predictions is None or spec.data.event_time not in published.collect_schema():
            return None
        since, until = batch.event_time_from, batch.event_time_to
        time = pl.col(spec.data.event_time)
        rows = published.filter(time.is_between(since, until), pl.col(BATCH_ID) == batch.batch_id)
        if (found := comparison.compare(spec, rows, predictions, since, until)) is None:
            return None
        return SkewMeasured(
            model=spec.model,
            dataset=batch.dataset,
            batch_id=batch.batch_id,
            event_time_from=since,
            event_time_to=until,
            served=found.served,
            joined=found.joined,
            compared=found.compared,
            features=found.features,
        )


def event_id(event: SkewMeasured) -> str:
    """Return the id of the event. There is one event for each batch and model."""
    return str(uuid5(NAMESPACE_URL, f"rondo:skew:{event.model}/{event.dataset}/{event.batch_id}"))
