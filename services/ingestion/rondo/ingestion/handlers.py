"""Handles events: updates the cached specs, and queues the scoring jobs that were requested."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from rondo.contracts.events.scoring import ScoringRequested
from rondo.contracts.vocabularies import ScoringState
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring.jobs import starts, table_of

if TYPE_CHECKING:
    from rondo.chassis.events.consumer import Handlers
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
    from rondo.contracts.events.models import ModelRemoved, SpecApplied
    from rondo.ingestion.scoring.delta_scores import DeltaScores
    from rondo.ingestion.scoring.store import JobRequests
    from rondo.ingestion.spec_cache import SpecCache


async def on_spec_applied(envelope: Envelope[SpecApplied], specs: SpecCache) -> None:
    """Cache the spec unless a later revision is cached. From now on it validates batches and outcomes."""
    specs.put(envelope.data.spec, envelope.data.revision, envelope.data.dataset_revision)


async def on_model_removed(envelope: Envelope[ModelRemoved], specs: SpecCache) -> None:
    """Delete the spec. From now on its dataset accepts no batch, unless another spec names it."""
    specs.remove(envelope.data.model, envelope.data.revision)


async def on_dataset_applied(envelope: Envelope[DatasetApplied], specs: SpecCache) -> None:
    """Cache the spec unless a later revision is cached. From now on only it validates batches of the dataset."""
    specs.put_dataset(envelope.data.spec, envelope.data.revision)


async def on_dataset_removed(envelope: Envelope[DatasetRemoved], specs: SpecCache) -> None:
    """Delete the spec. From now on the specs of the models that name the dataset validate its batches."""
    specs.remove_dataset(envelope.data.dataset, envelope.data.revision)


async def on_scoring_requested(envelope: Envelope[ScoringRequested], work: JobRequests, tables: DeltaScores) -> None:
    """Queue the job if it is new or has failed, or if its table was removed or is damaged.

    Raises:
        UnavailableError: the data storage is unavailable.

    """
    request = envelope.data
    state = await work.state(request.job)
    if state == ScoringState.DONE:
        try:
            committed = await asyncio.to_thread(tables.committed, table_of(request), request.job)
        except ScoringFailedError:
            # The job runs again and fails with the same error, which its event reports.
            await work.queue(request)
            return
        if committed is None:
            await work.forget_parts(request.job)
            await work.queue(request)
    elif starts(state):
        await work.queue(request)


def event_handlers(tables: DeltaScores) -> Handlers[JobRequests]:
    """Return the handler of each event that this service consumes in a unit of work."""
    return {ScoringRequested: partial(on_scoring_requested, tables=tables)}
