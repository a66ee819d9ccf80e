"""What ingestion does on an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.consume import Routes
from rondo.contracts.models import SpecApplied

if TYPE_CHECKING:
    from rondo.contracts.cloudevents import Envelope
    from rondo.ingestion.ports import SpecWork


def routes() -> Routes[SpecWork]:
    """Return the table from event to handler."""
    table: Routes[SpecWork] = Routes()

    @table.on(SpecApplied)
    async def on_spec_applied(envelope: Envelope[SpecApplied], work: SpecWork) -> None:
        await work.keep(envelope.data)

    return table
