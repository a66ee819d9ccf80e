"""Handles `SpecApplied` and `ModelRemoved`: updates the cached specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.models import ModelRemoved, SpecApplied
    from rondo.ingestion.spec_cache import SpecCache


async def on_spec_applied(envelope: Envelope[SpecApplied], specs: SpecCache) -> None:
    """Cache the spec unless a later revision is cached. Batches and outcomes are checked against it from now on."""
    specs.put(envelope.data.spec, envelope.data.revision)


async def on_model_removed(envelope: Envelope[ModelRemoved], specs: SpecCache) -> None:
    """Delete the spec: its dataset takes no batch from now on, unless another model's spec names it."""
    specs.remove(envelope.data.model, envelope.data.revision)
