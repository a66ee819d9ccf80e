"""Ingestion takes a spec of a newer release with unknown vocabulary words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import SpecApplied
from rondo.ingestion.handlers import on_spec_applied
from rondo.ingestion.spec_cache import SpecCache
from rondo.ingestion.validation.contract import NoContractError

from tests.support.future_words import WORD, from_the_future


async def cached(applied: SpecApplied) -> SpecCache:
    specs = SpecCache()
    await on_spec_applied(Envelope("e", "tests", datetime.now(UTC), applied), specs)
    return specs


async def test_a_spec_with_unknown_words_and_a_known_task_gives_a_contract() -> None:
    future = from_the_future(SpecApplied)
    applied = future.model_copy(update={"spec": future.spec.model_copy(update={"task": "regression"})})
    specs = await cached(applied)
    contract = specs.contract(applied.spec.data.dataset)
    assert set(applied.spec.features) <= {column.name for column in contract.columns}
    assert (applied.spec.data.unknown_columns, contract.unknown_columns) == (WORD, "report")


async def test_without_its_task_there_is_no_contract_and_the_reason_names_the_task() -> None:
    applied = from_the_future(SpecApplied)
    specs = await cached(applied)
    with pytest.raises(NoContractError, match=WORD):
        specs.contract(applied.spec.data.dataset)
