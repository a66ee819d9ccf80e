"""Wanted outcomes in the pipeline: they are published with the checkpoint, so a restart requests nothing twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rondo.contracts.events.monitoring import LabelsWanted

from tests.monitor.builders import EPOCH, MODEL, spec
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import PREDICTED, filled_store, new_pipeline, published


async def asked(restart_each: int) -> tuple[MemoryStore, list[LabelsWanted]]:
    """Return the requests for eight days of 200 rows, if a pipeline ends after every `restart_each` messages."""
    store, clock = await filled_store(), FakeClock()
    await store.save_spec(MODEL, 2, spec(labels={"budget_per_day": 10}))
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    for number in range(len(PREDICTED)):
        if number and number % restart_each == 0:
            pipeline = new_pipeline(store, clock)
            await pipeline.load()
        await pipeline.advance(messages(PREDICTED[number : number + 1], first=number))
        clock.now += 10
        await pipeline.advance([])
    return store, [each for each in published(store).values() if isinstance(each, LabelsWanted)]


@pytest.mark.slow
@pytest.mark.parametrize("restart_each", [100, 3])
async def test_each_day_that_ends_is_asked_about_once_within_the_budget(restart_each: int) -> None:
    _, found = await asked(restart_each)
    assert [each.window.start for each in found] == [EPOCH + timedelta(days=day) for day in range(7)]
    assert {(len(each.wanted), each.budget, each.window.rows, each.model_version) for each in found} == {
        (10, 10, 200, 1)
    }
    assert len({each.id for event in found for each in event.wanted}) == 70


async def test_without_the_key_nothing_is_asked() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED))
    clock.now = 10
    await pipeline.advance([])
    assert not [each for each in published(store).values() if isinstance(each, LabelsWanted)]
