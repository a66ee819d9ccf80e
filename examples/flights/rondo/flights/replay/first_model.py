"""The start of a run: applies the spec, publishes batches, and waits until the first model is served."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.models import ModelPromoted, ModelRejected
from rondo.contracts.events.training import TrainingFailed
from rondo.flights.dataset.messages import month_batches
from rondo.flights.errors import FirstModelError

if TYPE_CHECKING:
    import polars as pl

    from rondo.client import AsyncRondo
    from rondo.flights.observers.history import History
    from rondo.flights.observers.readers import Readers
    from rondo.flights.plan import Plan
    from rondo.flights.view.observer import RunObserver

_SECONDS = 180.0
_PARQUET = "application/vnd.apache.parquet"


async def publish_flights(rondo: AsyncRondo, flights: pl.DataFrame, plan: Plan, observer: RunObserver) -> None:
    """Apply the spec, and publish the months before the stream, with labels."""
    example = plan.example
    await rondo.apply(example.text)
    for batch_id, rows in month_batches(flights, example, range(1, plan.stream_from.month)):
        content = io.BytesIO()
        rows.write_parquet(content)
        observer.step(f"publishing {batch_id}: {len(rows):,} flights")
        await rondo.publish(example.spec.data.dataset, batch_id, content.getvalue(), _PARQUET)


async def first_model(
    rondo: AsyncRondo, plan: Plan, readers: Readers, observer: RunObserver, seconds: float = _SECONDS
) -> bytes:
    """Wait until the first version is served, and return its artifact.

    Raises:
        FirstModelError: the version was rejected, its training failed, or it is not served within `seconds`.
        UnreadableError: a reader has ended.

    """
    observer.step("training the first model")
    in_time = await asyncio.to_thread(readers.listener.wait_for, _settled, seconds)
    readers.check()
    history = readers.listener.history
    promoted = history.of(ModelPromoted)
    if not promoted:
        failures = [str(e.data) for e in history.of(ModelRejected, TrainingFailed)]
        raise FirstModelError("; ".join(failures) if in_time else f"none within {seconds:.0f} s")
    version: int = promoted[0].data.model_version
    observer.step(f"version {version} serves")
    return await rondo.artifact(plan.example.model, version)


def _settled(history: History) -> bool:
    served = any(e.data.state == "available" for e in history.of(ReplicaChanged))
    return bool(served and history.of(ModelPromoted)) or bool(history.of(ModelRejected, TrainingFailed))
