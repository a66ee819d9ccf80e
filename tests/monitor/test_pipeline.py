"""The state that the follower feeds, over a store in memory: crashes, promotions and what comes too early."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monitor_fakes import Clock, FakeMessage, MemoryStore, messages
from monitor_world import DIGEST, MODEL, PROFILED, SPEC, encode_predictions, year
from rondo.contracts.events import logs
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.monitoring import AlertRaised
from rondo.monitor.errors import FencedError, UnknownModelError
from rondo.monitor.pace import Pace
from rondo.monitor.pipeline import Watching
from rondo.monitor.ports import Champion, Kept
from rondo.monitor.stream.log_messages import read_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.monitor.detectors.reference import Profiled

ASKED, KNOWN = year(8, 4, rows_a_day=200)


async def informed() -> MemoryStore:
    store = MemoryStore()
    await store.save_spec(MODEL, 1, SPEC)
    await store.save_profile(DIGEST, PROFILED)
    await store.save_champion(MODEL, Champion(1, 1, DIGEST))
    return store


def said(store: MemoryStore) -> dict[str, Any]:
    assert len({a.event_id for a in store.announced}) == len(store.announced)
    return {a.event_id: a.event for a in store.announced}


async def at_once() -> dict[str, Any]:
    store = await informed()
    watching = Watching(store, store, Clock())
    await watching.load()
    await watching.advance(messages(ASKED, KNOWN))
    return said(store)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
async def test_however_it_is_cut_and_wherever_it_crashes_it_says_the_same(seed: int) -> None:
    rng, store, clock = random.Random(seed), await informed(), Clock()
    expected = await at_once()
    while any(store.positions.get((t, 0), 0) < 32 for t in ("predictions.log", "outcomes.log")):
        watching = Watching(store, store, clock)
        positions = dict(await watching.load())
        if rng.random() < 0.5:
            watching.caught_up()
        for _ in range(rng.randint(1, 6)):
            step, clock.now = rng.randint(0, 8), clock.now + rng.choice((0.1, 2.0))
            asked, known = (positions.get((t, 0), 0) for t in ("predictions.log", "outcomes.log"))
            arrived = [
                *messages(ASKED[asked : asked + step], first=asked),
                *messages((), KNOWN[known : known + step], first=known),
            ]
            await watching.advance(arrived)
            for message in arrived:
                positions[message.topic(), 0] = message.offset() + 1
        clock.now += 0.5
    assert expected == said(store)
    assert [type(e).__name__ for e in expected.values()].count("DriftDetected") == 1


async def test_rows_wait_for_the_profile_and_the_spec_and_then_count_as_if_they_had_been_there() -> None:
    store, clock = MemoryStore(), Clock()
    watching = Watching(store, store, clock)
    await watching.load()
    await watching.advance(messages(ASKED[:16], KNOWN[:16]))
    clock.now = 2
    await watching.advance([])
    again = Watching(store, store, clock)
    await again.load()
    await again.advance(messages(ASKED[16:], KNOWN[16:], first=16))
    assert store.announced == []
    async with store.work():
        store.specs, store.known, store.champions = (
            (await informed()).specs,
            {DIGEST: PROFILED},
            (await informed()).champions,
        )
    await again.advance([])
    assert await at_once() == said(store)


async def test_a_silent_stream_closes_its_windows_and_outcomes_that_stand_still_are_waited_for_longer() -> None:
    store, clock = await informed(), Clock()
    watching = Watching(store, store, clock, Pace(outcomes_idle=60.0, disorder=5.0))
    await watching.load()
    watching.caught_up()
    asked, known = year(3, 9)
    await watching.advance(messages(asked, known[:5]))
    for now, closed in ((4.0, 0), (5.0, 1), (59.0, 1), (60.0, 2)):
        clock.now = now
        await watching.advance([])
        assert [type(e).__name__ for e in said(store).values()].count("WindowClosed") == closed


async def test_what_kafka_holds_is_no_silence_however_long_it_takes_until_it_is_read() -> None:
    store, clock = await informed(), Clock()
    before, again = (Watching(store, store, clock, Pace(outcomes_idle=60.0, disorder=5.0)) for _ in range(2))
    asked, known = year(3, 9)
    await before.load()
    await before.advance(messages(asked, known[:5]))
    clock.now = 2.0
    await before.advance([])
    await again.load()
    for now, closed in ((100.0, 0), (200.0, 0), (204.9, 0), (205.0, 1), (259.9, 1), (260.0, 2)):
        clock.now = now
        await again.advance([])
        if now == 200.0:
            again.caught_up()
        assert [type(e).__name__ for e in said(store).values()].count("WindowClosed") == closed


class SlowStore(MemoryStore):
    """A store that takes ten seconds to find profiles."""

    clock: Clock

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, Profiled]:
        """Return what is known."""
        self.clock.now += 10.0
        return await super().profiles(digests)


async def test_to_take_in_messages_for_long_is_no_silence() -> None:
    informed_store = await informed()
    store = SlowStore(informed_store.specs, informed_store.known, informed_store.champions)
    clock = store.clock = Clock()
    watching = Watching(store, store, clock, Pace(disorder=5.0))
    await watching.load()
    watching.caught_up()
    asked, known = year(3, 9)
    await watching.advance(messages(asked, known[:5]))
    assert (clock.now, said(store)) == (10.0, {})


async def test_held_rows_are_not_passed_by_a_silence() -> None:
    store, clock = await informed(), Clock()
    store.known = {}
    watching = Watching(store, store, clock)
    await watching.load()
    watching.caught_up()
    await watching.advance(messages(ASKED[:4], KNOWN[:4]))
    clock.now = 20.0
    await watching.advance(messages(ASKED[4:], KNOWN[4:], first=4))
    store.known = {DIGEST: PROFILED}
    async with store.work():
        pass
    await watching.advance([])
    assert watching.look(MODEL)["uncounted"]["late_rows"] == 0
    assert await at_once() == said(store)


async def test_a_version_without_a_profile_is_passed_over_after_a_while() -> None:
    store, clock = await informed(), Clock()
    store.known = {}
    watching = Watching(store, store, clock, Pace(patience=300.0))
    await watching.load()
    for now, left_out in ((0.0, 0), (299.0, 0), (300.0, 200)):
        clock.now = now
        await watching.advance(messages(ASKED[:4]) if now == 0 else [])
        assert watching.look(MODEL)["uncounted"]["unprofiled"] == left_out


async def test_that_the_monitor_is_blind_is_announced_though_no_window_closes() -> None:
    store, clock = await informed(), Clock()
    watching = Watching(store, store, clock)
    await watching.load()
    wild = [encode_predictions(with_times(read_predictions(value).rows, 40_000)) for value in ASKED[:20]]
    await watching.advance(messages(wild))
    (alert,) = said(store).values()
    assert isinstance(alert, AlertRaised)
    assert (alert.title, alert.severity) == ("loans: the monitor can't see 100% of its requests", "critical")


def with_times(rows: pa.Table, days: int) -> pa.Table:
    """Return rows that were asked for so many days after they were made."""
    place = rows.schema.get_field_index("event_time")
    later = [made + timedelta(days=days) for made in rows.column("made_at").to_pylist()]
    return rows.set_column(place, "event_time", pa.array(later, logs.TIMESTAMP))


async def test_what_is_no_micro_batch_is_passed_over_and_counted_as_read(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = await informed(), Clock()
    watching = Watching(store, store, clock)
    await watching.load()
    await watching.advance([FakeMessage(PREDICTIONS_LOG, 0, b"poison"), *messages(ASKED[:1], first=1)])  # type: ignore[list-item]
    clock.now = 2
    await watching.advance([])
    assert store.positions == {(PREDICTIONS_LOG, 0): 2}
    assert "it is no Arrow IPC stream" in caplog.text


class Noting(dict[str, Kept]):
    """What waits, noting the thread that reads it."""

    read_in: threading.Thread | None = None

    def __getitem__(self, kind: str) -> Kept:
        self.read_in = threading.current_thread()
        return super().__getitem__(kind)


async def test_the_event_loop_does_not_wait_for_what_was_saved() -> None:
    store, clock = await informed(), Clock()
    watching = Watching(store, store, clock)
    await watching.load()
    clock.now = 2
    await watching.advance(messages(ASKED[:1]))
    waiting = Noting(store.watches[MODEL].waiting)
    store.watches[MODEL] = replace(store.watches[MODEL], waiting=waiting)
    await watching.load()
    assert waiting.read_in not in (None, threading.main_thread())


async def test_a_second_monitor_is_found_out() -> None:
    store, clock = await informed(), Clock()
    first, second = Watching(store, store, clock), Watching(store, store, clock)
    await first.load()
    await second.load()
    await first.advance(messages(ASKED, KNOWN))
    with pytest.raises(FencedError):
        await second.advance(messages(ASKED, KNOWN))
    assert await at_once() == said(store)


async def test_a_picture_shows_the_open_windows_and_the_alarms() -> None:
    store = await informed()
    watching = Watching(store, store, Clock())
    await watching.load()
    await watching.advance(messages(ASKED, KNOWN))
    seen = watching.look(MODEL)
    (window,) = seen["windows"]
    assert (window["rows"], window["labelled_rows"], seen["version"]) == (200, 200, 1)
    assert seen["alarms"]["drift"]["since"] == "2024-01-05T00:00:00+00:00"
    assert seen["clock_set_back"] == {"predictions": 0, "outcomes": 0}
    with pytest.raises(UnknownModelError, match=r"no spec of nobody has been applied \(watched: loans\)"):
        watching.look("nobody")
