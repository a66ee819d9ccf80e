"""A stream that stops, in the pipeline: what counts as silence, and what a restart keeps of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded

from tests.monitor.builders import EPOCH, MODEL, encode_predictions, predictions
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.monitor.pipeline import MonitorPipeline

import numpy as np

HOURS = 3_600.0


def requests(begin: datetime, count: int) -> bytes:
    """Return a message with a row for each ten minutes."""
    at = [begin + timedelta(minutes=10 * i) for i in range(count)]
    ids = [f"{begin:%j%H%M}-{i}" for i in range(count)]
    return encode_predictions(predictions(BINARY.rows(np.random.default_rng(1), count, 0.0), at, ids))


def kinds(store: MemoryStore) -> list[str]:
    wanted = (AlertRaised, AlertResolved, DataQualityDegraded)
    return [type(each.event).__name__ for each in store.published if isinstance(each.event, wanted)]


async def started(store: MemoryStore, clock: FakeClock) -> MonitorPipeline:
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    return pipeline


async def test_a_stream_that_stops_raises_an_alert_which_ends_with_the_next_row() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    pipeline.caught_up()
    await pipeline.advance(messages([requests(EPOCH, 1_200)]))
    # The longest gap is ten minutes, so twice that may pass.
    clock.now = 1_199.0
    await pipeline.advance([])
    assert kinds(store) == []
    clock.now = 1_201.0
    await pipeline.advance([])
    assert kinds(store) == ["DataQualityDegraded", "AlertRaised"]
    assert (await pipeline.status(MODEL)).alerts.keys() == {"silence"}
    assert (await pipeline.summaries())[0].open_alerts == ("silence",)
    clock.now = 9 * HOURS
    await pipeline.advance(messages([requests(EPOCH + timedelta(days=9), 1)], first=1))
    assert kinds(store)[2:] == ["AlertResolved"]
    assert (await pipeline.status(MODEL)).alerts == {}


async def test_time_in_which_the_monitor_is_down_is_no_silence_and_time_before_it_counts() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    pipeline.caught_up()
    await pipeline.advance(messages([requests(EPOCH, 1_200)]))
    clock.now = 1_000.0
    await pipeline.advance([])
    clock.now = 90 * HOURS
    restarted = await started(store, clock)
    clock.now += 2 * HOURS
    await restarted.advance([])
    restarted.caught_up()
    await restarted.advance([])
    clock.now += 100.0
    await restarted.advance([])
    assert kinds(store) == []
    clock.now += 200.0
    await restarted.advance([])
    assert kinds(store) == ["DataQualityDegraded", "AlertRaised"]
    again = await started(store, clock)
    again.caught_up()
    clock.now += 90 * HOURS
    await again.advance([])
    assert kinds(store) == ["DataQualityDegraded", "AlertRaised"]


async def test_rows_that_arrive_after_a_long_step_of_the_monitor_end_the_silence_first() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    pipeline.caught_up()
    await pipeline.advance(messages([requests(EPOCH, 1_200)]))
    clock.now = 9 * HOURS
    await pipeline.advance(messages([requests(EPOCH + timedelta(minutes=12_000), 3)], first=1))
    assert kinds(store) == []
