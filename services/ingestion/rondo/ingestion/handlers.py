"""What ingestion does when a spec was applied: bring it into force, unless a later one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.models import SpecApplied
    from rondo.ingestion.spec_cache import Specs


async def on_spec_applied(envelope: Envelope[SpecApplied], specs: Specs) -> None:
    """Bring the spec into force: batches are judged by it, and outcomes of its model are taken, from now on."""
    specs.put(envelope.data.spec, envelope.data.revision)
