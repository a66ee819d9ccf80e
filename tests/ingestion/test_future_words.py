"""Ingestion takes a spec of a newer release with unknown vocabulary words."""

from __future__ import annotations

from datetime import UTC, datetime

from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.ingestion.handlers import on_spec_applied
from rondo.ingestion.spec_cache import SpecCache

from tests.support.future_words import from_the_future


async def test_a_spec_with_unknown_words_gives_a_contract() -> None:
    specs, applied = SpecCache(), from_the_future(SpecApplied)
    await on_spec_applied(Envelope("e", "tests", datetime.now(UTC), applied), specs)
    names = {column.name for column in specs.contract(applied.spec.data.dataset).columns}
    assert set(applied.spec.features) <= names
