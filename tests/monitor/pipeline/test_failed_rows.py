"""A model that gives no prediction for its rows, in the pipeline: it logs no rows, and its alert is of one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.windows.tumbling import to_time

from tests.monitor.builders import DIGEST, MODEL, encode_predictions, predictions, rows, times
from tests.monitor.fakes import FakeClock, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline

if TYPE_CHECKING:
    from tests.monitor.fakes import MemoryStore

import numpy as np


def logged(count: int, failed: int, *, day: float = 0, version: int = 1) -> bytes:
    """Return a message with `count` rows and a cost, as serving writes it. It has no rows if all have failed."""
    one_more = count + 1
    ids = [f"{day}-{n}" for n in range(one_more)]
    some = predictions(rows(np.random.default_rng(1), one_more), times(day, one_more), ids)
    batch = logs.decode(encode_predictions(some, version=version)).slice(0, count)
    text = InferenceCost((1_000,), 1, count, failed, 1).text
    return logs.encode(batch.replace_schema_metadata(logs.metadata(batch) | {inference_cost.KEY: text}))


def quality(store: MemoryStore) -> list[str]:
    """Return the events about failed rows."""
    kinds = (DataQualityDegraded, AlertRaised, AlertResolved)
    return [type(each.event).__name__ for each in store.published if isinstance(each.event, kinds)]


async def test_a_version_that_fails_from_its_start_is_reported_until_another_one_serves() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    pipeline.caught_up()
    await pipeline.advance(messages([logged(0, 99)]))
    assert quality(store) == []
    sent = messages([logged(0, 1)], first=1)
    await pipeline.advance(sent)
    assert quality(store) == ["DataQualityDegraded", "AlertRaised"]
    (alert,) = (each.event for each in store.published if isinstance(each.event, AlertRaised))
    assert (alert.kind, alert.model_version) == ("failed_rows", 1)
    assert alert.raised_at == to_time(1_000 * sent[0].timestamp()[1])
    again = new_pipeline(store, clock)
    await again.load()
    await again.advance(messages([logged(0, 50)], first=2))
    assert (quality(store)[2:], (await again.status(MODEL)).alerts.keys()) == ([], {"failed_rows"})
    async with store.work() as work:
        await work.save_champion(MODEL, ChampionRevision(2, 2, DIGEST))
    await again.advance([])
    assert quality(store)[2:] == ["AlertResolved"]
    assert (await again.status(MODEL)).alerts == {}


async def test_what_a_version_failed_on_before_it_was_replaced_opens_no_alert_once_it_serves_again() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    pipeline.caught_up()
    await pipeline.advance(messages([logged(5, 0), logged(0, 200)]))
    assert quality(store) == ["DataQualityDegraded", "AlertRaised"]
    for revision, version in ((2, 2), (3, 1)):
        async with store.work() as work:
            await work.save_champion(MODEL, ChampionRevision(revision, version, DIGEST))
        await pipeline.advance([])
    assert quality(store)[2:] == ["AlertResolved"]
    await pipeline.advance(messages([logged(0, 200, day=2)], first=2))
    assert quality(store)[3:] == ["DataQualityDegraded", "AlertRaised"], "what it fails on since is reported"


async def test_the_alert_ends_with_a_whole_window_without_failures() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    pipeline.caught_up()
    for number, message in enumerate([logged(0, 200), logged(5, 0), logged(5, 0, day=1), logged(5, 0, day=2)]):
        await pipeline.advance(messages([message], first=number))
    assert quality(store) == ["DataQualityDegraded", "AlertRaised", "AlertResolved"]
