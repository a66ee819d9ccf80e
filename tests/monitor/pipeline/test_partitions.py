"""A pipeline of one partition number: the models of that number, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.settings import MonitorTimings
from rondo.monitor.stream.partition_numbers import PartitionNumber, number_of

from tests.monitor.builders import MODEL
from tests.monitor.fakes import FakeClock, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED, filled_store, published

if TYPE_CHECKING:
    from tests.monitor.fakes import MemoryStore

COUNT = 6
MINE = number_of(MODEL, COUNT)


async def pipeline_of(number: int) -> tuple[MonitorPipeline, MemoryStore]:
    store = await filled_store()
    store.specs, store.champions = (store.specs, store.champions) if number == MINE else ({}, {})
    part = PartitionNumber(number, COUNT)
    pipeline = MonitorPipeline(store, store, FakeClock(), MonitorTimings(), part=part)
    await pipeline.load()
    return pipeline, store


@pytest.mark.medium
async def test_a_model_of_the_number_is_watched() -> None:
    pipeline, store = await pipeline_of(MINE)
    await pipeline.advance(messages(PREDICTED, KNOWN))
    assert list(pipeline.models) == [MODEL]
    assert published(store)


async def test_a_model_of_another_number_gets_no_state() -> None:
    """Messages of another partitioner would give a model two states, each with a part of its rows."""
    pipeline, store = await pipeline_of((MINE + 1) % COUNT)
    before = REGISTRY.get_sample_value("rondo_monitor_bad_messages_total", {"log": "outcomes.log"}) or 0
    await pipeline.advance(messages(PREDICTED, KNOWN))
    assert pipeline.models == {}
    assert published(store) == {}
    after = REGISTRY.get_sample_value("rondo_monitor_bad_messages_total", {"log": "outcomes.log"})
    assert after == before + len(KNOWN)
    assert pipeline.knows(MODEL) is False


async def test_the_message_says_which_partitioner_is_meant(caplog: pytest.LogCaptureFixture) -> None:
    pipeline, _ = await pipeline_of((MINE + 1) % COUNT)
    await pipeline.advance(messages(PREDICTED[:1]))
    said = f"whose partition is {MINE}: its producer must partition by murmur2 of the key"
    assert said in caplog.text


@pytest.mark.medium
async def test_nothing_is_reported_of_models_that_another_replica_has() -> None:
    pipeline, _ = await pipeline_of(MINE)
    await pipeline.advance(messages(PREDICTED, KNOWN))
    labels = {"model": MODEL, "reason": "late_rows"}
    assert REGISTRY.get_sample_value("rondo_monitor_dropped_rows", labels) == 0
    pipeline.close()
    assert REGISTRY.get_sample_value("rondo_monitor_dropped_rows", labels) is None
    assert REGISTRY.get_sample_value("rondo_monitor_dropped_share", {"model": MODEL}) is None
