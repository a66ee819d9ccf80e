"""Handles events: updates the cached specs, and queues the scoring jobs that were requested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.scoring import ScoringRequested
from rondo.ingestion.scoring.jobs import starts

if TYPE_CHECKING:
    from rondo.chassis.events.consumer import Handlers
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.models import ModelRemoved, SpecApplied
    from rondo.ingestion.scoring.store import JobRequests
    from rondo.ingestion.spec_cache import SpecCache


async def on_spec_applied(envelope: Envelope[SpecApplied], specs: SpecCache) -> None:
    """Cache the spec unless a later revision is cached. Batches and outcomes are checked against it from now on."""
    specs.put(envelope.data.spec, envelope.data.revision)


async def on_model_removed(envelope: Envelope[ModelRemoved], specs: SpecCache) -> None:
    """Delete the spec: its dataset takes no batch from now on, unless another model's spec names it."""
    specs.remove(envelope.data.model, envelope.data.revision)


async def on_scoring_requested(envelope: Envelope[ScoringRequested], work: JobRequests) -> None:
    """Queue the job, unless it is known and did not fail."""
    if starts(await work.state(envelope.data.job)):
        await work.queue(envelope.data)


def event_handlers() -> Handlers[JobRequests]:
    """Return the handler of each event that this service consumes in a unit of work."""
    return {ScoringRequested: on_scoring_requested}
