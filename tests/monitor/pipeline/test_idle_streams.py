"""Idle streams: windows that close without newer rows, and pauses that are not idleness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.monitoring import WindowClosed

from tests.monitor.builders import DIGEST, MODEL, PROFILE, log_of_days
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import KNOWN, PREDICTED, closed, filled_store, new_pipeline, published, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.training_evidence import ReferenceProfile


@pytest.mark.medium
async def test_an_idle_stream_closes_its_windows_and_outcomes_have_a_longer_timeout() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock, outcomes_idle_timeout=60.0, max_out_of_orderness=5.0)
    await pipeline.load()
    pipeline.caught_up()
    predicted, known = log_of_days(3, 9)
    await pipeline.advance(messages(predicted, known[:5]))
    for now, expected in ((4.0, 0), (5.0, 1), (59.0, 1), (60.0, 2)):
        clock.now = now
        await pipeline.advance([])
        assert closed(store) == expected


@pytest.mark.medium
async def test_the_first_window_of_a_new_model_waits_for_outcomes_from_its_first_prediction() -> None:
    """The monitor runs for an hour before the model's first prediction. Its outcomes arrive half a minute later."""
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock, outcomes_idle_timeout=60.0)
    await pipeline.load()
    pipeline.caught_up()
    predicted, known = log_of_days(3, 9)
    for clock.now, arrived in ((3_600.0, messages(predicted)), (3_602.0, []), (3_630.0, messages((), known))):
        await pipeline.advance(arrived)
    clock.now = 3_632.0
    await pipeline.advance([])
    windows = [event for event in published(store).values() if isinstance(event, WindowClosed)]
    assert [event.labelled_rows for event in windows] == [400, 400]


@pytest.mark.medium
async def test_the_initial_backlog_is_no_idleness_however_long_it_takes_to_read() -> None:
    store, clock = await filled_store(), FakeClock()
    before, restarted = (
        new_pipeline(store, clock, outcomes_idle_timeout=60.0, max_out_of_orderness=5.0) for _ in range(2)
    )
    predicted, known = log_of_days(3, 9)
    await before.load()
    await before.advance(messages(predicted, known[:5]))
    clock.now = 2.0
    await before.advance([])
    await restarted.load()
    for now, expected in ((100.0, 0), (200.0, 0), (204.9, 0), (205.0, 1), (259.9, 1), (260.0, 2)):
        clock.now = now
        await restarted.advance([])
        if now == 200.0:
            restarted.caught_up()
        assert closed(store) == expected


class SlowStore(MemoryStore):
    """A store that takes ten seconds to return profiles."""

    clock: FakeClock

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        self.clock.now += 10.0
        return await super().profiles(digests)


async def test_slow_processing_of_messages_is_no_idleness() -> None:
    filled = await filled_store()
    store = SlowStore(filled.specs, filled.known_profiles, filled.champions)
    clock = store.clock = FakeClock()
    pipeline = new_pipeline(store, clock, max_out_of_orderness=5.0)
    await pipeline.load()
    pipeline.caught_up()
    predicted, known = log_of_days(3, 9)
    await pipeline.advance(messages(predicted, known[:5]))
    assert (clock.now, published(store)) == (10.0, {})


@pytest.mark.medium
async def test_idleness_does_not_advance_the_watermark_past_buffered_rows() -> None:
    store, clock = await filled_store(), FakeClock()
    store.known_profiles = {}
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    pipeline.caught_up()
    await pipeline.advance(messages(PREDICTED[:4], KNOWN[:4]))
    clock.now = 20.0
    await pipeline.advance(messages(PREDICTED[4:], KNOWN[4:], first=4))
    store.known_profiles = {DIGEST: PROFILE}
    async with store.work():
        pass
    await pipeline.advance([])
    assert (await pipeline.status(MODEL)).dropped["late_rows"] == 0
    assert await uninterrupted() == published(store)
