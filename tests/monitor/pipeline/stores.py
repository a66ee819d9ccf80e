"""A pipeline over a store in memory, and the logs of each task that it reads."""

from __future__ import annotations

from typing import Any

from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.settings import MonitorTimings

from tests.monitor.builders import DIGEST, MODEL, log_of_days, spec
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.streams import BINARY, STREAMS, Stream

LOGS = {stream.task: log_of_days(8, 4, rows_a_day=200, stream=stream, skill=0.2) for stream in STREAMS}
PREDICTED, KNOWN = LOGS["binary"]


async def filled_store(stream: Stream = BINARY) -> MemoryStore:
    store = MemoryStore()
    await store.save_spec(MODEL, 1, spec(stream.task))
    await store.save_profile(DIGEST, stream.profile)
    await store.save_champion(MODEL, ChampionRevision(1, 1, DIGEST))
    return store


def new_pipeline(store: MemoryStore, clock: FakeClock, **timings: float) -> MonitorPipeline:
    return MonitorPipeline(store, store, clock, MonitorTimings(**timings))


def published(store: MemoryStore) -> dict[str, Any]:
    assert len({a.event_id for a in store.published}) == len(store.published)
    return {a.event_id: a.event for a in store.published}


def closed(store: MemoryStore) -> int:
    return [type(event).__name__ for event in published(store).values()].count("WindowClosed")


async def uninterrupted(stream: Stream = BINARY) -> dict[str, Any]:
    """Return what is published for the logs of a stream that are read at once.

    Only the first call for a stream reads them.
    """
    if stream.task not in _PUBLISHED:
        store = await filled_store(stream)
        pipeline = new_pipeline(store, FakeClock())
        await pipeline.load()
        await pipeline.advance(messages(*LOGS[stream.task]))
        _PUBLISHED[stream.task] = published(store)
    return dict(_PUBLISHED[stream.task])


_PUBLISHED: dict[str, dict[str, Any]] = {}
