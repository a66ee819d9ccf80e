"""Comparisons of served with published values, from their event to the alert and the status."""

from __future__ import annotations

from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import ModelRemoved
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.monitor.handlers import on_model_removed, on_skew_measured
from rondo.monitor.ports import ChampionRevision

from tests.monitor.builders import DIGEST, EPOCH, MODEL, spec
from tests.monitor.fakes import FakeClock, MemoryStore
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.quality.test_skew import measured


async def measure(store: MemoryStore, day: int, joined: int = 100, **differing: int) -> None:
    async with store.work() as work:
        await on_skew_measured(Envelope(str(day), "tests", EPOCH, measured(day, joined, **differing)), work)


def alerts(store: MemoryStore) -> list[str]:
    wanted = (AlertRaised, AlertResolved)
    return [type(each.event).__name__ for each in store.published if isinstance(each.event, wanted)]


async def test_skew_raises_an_alert_once_also_after_a_restart_and_ends_it() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await measure(store, 0, x=50)
    await pipeline.advance([])
    assert alerts(store) == ["AlertRaised"]
    status = await pipeline.status(MODEL)
    assert status.alerts.keys() == {"skew"}
    assert status.skew is not None
    assert [(each.feature, each.skewed) for each in status.skew.features] == [("x", True)]
    restarted = new_pipeline(store, FakeClock())
    await restarted.load()
    await restarted.advance([])
    assert alerts(store) == ["AlertRaised"]
    assert (await restarted.status(MODEL)).skew == status.skew
    await measure(store, 1, joined=1_000)
    await restarted.advance([])
    assert alerts(store) == ["AlertRaised", "AlertResolved"]


async def test_a_removed_model_has_no_alert_and_starts_without_measurements() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await measure(store, 0, x=50)
    await pipeline.advance([])
    async with store.work() as work:
        removed = ModelRemoved(model=MODEL, revision=2, decided_by="tests")
        await on_model_removed(Envelope("r", "tests", EPOCH, removed), work)
    await pipeline.advance([])
    assert alerts(store) == ["AlertRaised", "AlertResolved"]
    async with store.work() as work:
        await work.save_spec(MODEL, 3, spec())
        await work.save_champion(MODEL, ChampionRevision(9, 9, DIGEST))
    await measure(store, 1, joined=4, x=4)
    await pipeline.advance([])
    assert alerts(store) == ["AlertRaised", "AlertResolved"]


async def test_what_was_measured_before_there_is_a_champion_is_looked_at_with_it() -> None:
    store = MemoryStore()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await measure(store, 0, x=50)
    await pipeline.advance([])
    assert alerts(store) == []
    async with store.work() as work:
        await work.save_spec(MODEL, 1, spec())
        await work.save_champion(MODEL, ChampionRevision(1, 1, DIGEST))
    await pipeline.advance([])
    assert alerts(store) == ["AlertRaised"]
