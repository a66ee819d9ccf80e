"""The pipeline over a store in memory: crashes, promotions, and messages that arrive early."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.contracts.events import logs
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DriftDetected, WindowClosed
from rondo.monitor import pipeline as pipeline_module
from rondo.monitor.errors import FencedError, UnknownModelError, UnreadableLogError
from rondo.monitor.ports import ChampionRevision, StoredTable
from rondo.monitor.status.model_status import LogCounts
from rondo.monitor.stream.log_messages import read_predictions

from tests.monitor.builders import DIGEST_2, EPOCH, MODEL, PROFILE, SPEC, encode_predictions, spec
from tests.monitor.fakes import FakeClock, FakeMessage, MemoryStore, messages
from tests.monitor.pipeline.stores import (
    KNOWN,
    LOGS,
    PREDICTED,
    filled_store,
    new_pipeline,
    published,
    uninterrupted,
)
from tests.monitor.streams import STREAMS, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.medium
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
@settings(max_examples=settings().max_examples // 7)
@given(seed=st.integers(0, 2**32))
async def test_batches_and_crashes_change_no_published_event(stream: Stream, seed: int) -> None:
    rng, store, clock = random.Random(seed), await filled_store(stream), FakeClock()
    expected, (all_predicted, all_known) = await uninterrupted(stream), LOGS[stream.task]
    while any(store.positions.get((t, 0), 0) < 32 for t in ("predictions.log", "outcomes.log")):
        pipeline = new_pipeline(store, clock)
        positions = dict(await pipeline.load())
        if rng.random() < 0.5:
            pipeline.caught_up()
        for _ in range(rng.randint(1, 6)):
            step, clock.now = rng.randint(0, 8), clock.now + rng.choice((0.1, 2.0))
            predicted, known = (positions.get((t, 0), 0) for t in ("predictions.log", "outcomes.log"))
            arrived = [
                *messages(all_predicted[predicted : predicted + step], first=predicted),
                *messages((), all_known[known : known + step], first=known),
            ]
            await pipeline.advance(arrived)
            for message in arrived:
                positions[message.topic(), 0] = message.offset() + 1
        clock.now += 0.5
    assert expected == published(store)
    kinds = {type(each).__name__ for each in expected.values()}
    assert {"DriftDetected", "PerformanceDegraded", "PerformanceSuspected", "AlertRaised", "WindowClosed"} <= kinds


@pytest.mark.sampled(1)
@pytest.mark.parametrize("role", ["shadow", "canary", "from-the-future"])
@pytest.mark.medium
async def test_the_rows_of_other_roles_change_no_event_about_the_champion(role: str) -> None:
    """The requests to a canary or a shadow have changed as well, which is a separate alert."""
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    others = [encode_predictions(read_predictions(value).rows, role=role) for value in PREDICTED]
    await pipeline.advance(messages([value for pair in zip(others, PREDICTED, strict=True) for value in pair], KNOWN))
    expected, found = await uninterrupted(), published(store)
    assert {key: found[key] for key in expected} == expected
    more = [event for key, event in found.items() if key not in expected]
    assert [(type(each), getattr(each, "role", None)) for each in more] == (
        [] if role == "from-the-future" else [(AlertRaised, role)]
    )


@pytest.mark.medium
async def test_rows_buffered_until_profile_and_spec_arrive_count_as_usual() -> None:
    store, clock = MemoryStore(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED[:16], KNOWN[:16]))
    clock.now = 2
    await pipeline.advance([])
    restarted = new_pipeline(store, clock)
    await restarted.load()
    await restarted.advance(messages(PREDICTED[16:], KNOWN[16:], first=16))
    assert store.published == []
    async with store.work():
        filled = await filled_store()
        store.specs, store.known_profiles, store.champions = filled.specs, filled.known_profiles, filled.champions
    await restarted.advance([])
    assert await uninterrupted() == published(store)


@pytest.mark.medium
async def test_an_idle_pipeline_opens_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock, spans = await filled_store(), FakeClock(), []

    @contextmanager
    def recorded(name: str) -> Iterator[None]:
        spans.append(name)
        yield

    monkeypatch.setattr("rondo.monitor.pipeline.span", recorded)
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    for clock.now in range(10):  # type: ignore[assignment]
        await pipeline.advance([])
    assert spans == []
    await pipeline.advance(messages(PREDICTED, KNOWN))
    assert spans == ["evaluate"]


async def test_rows_without_a_profile_are_dropped_after_the_timeout() -> None:
    store, clock = await filled_store(), FakeClock()
    store.known_profiles = {}
    pipeline = new_pipeline(store, clock, profile_timeout=300.0)
    await pipeline.load()
    for now, dropped in ((0.0, 0), (299.0, 0), (300.0, 200)):
        clock.now = now
        await pipeline.advance(messages(PREDICTED[:4]) if now == 0 else [])
        assert (await pipeline.status(MODEL)).dropped["unprofiled"] == dropped


async def test_low_coverage_raises_an_alert_though_no_window_closes() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    wild = [encode_predictions(shifted_by(read_predictions(value).rows, 40_000)) for value in PREDICTED[:20]]
    await pipeline.advance(messages(wild))
    (alert,) = published(store).values()
    assert isinstance(alert, AlertRaised)
    assert (alert.model, alert.severity) == (MODEL, "critical")


async def test_a_removed_model_has_no_windows_and_its_alerts_are_resolved() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    wild = [encode_predictions(shifted_by(read_predictions(value).rows, 40_000)) for value in PREDICTED[:20]]
    await pipeline.advance(messages(wild))
    async with store.work() as work:
        await work.save_spec(MODEL, 2, None)
    await pipeline.advance(messages(PREDICTED, KNOWN))
    raised, resolved = published(store).values()
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == raised.alert_id
    with pytest.raises(UnknownModelError):
        await pipeline.status(MODEL)


@pytest.mark.medium
async def test_a_model_that_is_applied_again_at_once_starts_over() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    assert (await pipeline.status(MODEL)).watermark
    async with store.work() as work:
        await work.save_spec(MODEL, 3, SPEC)
        await work.save_spec(MODEL, 2, None)  # from another topic, so it may arrive later
    await pipeline.advance([])
    status = await pipeline.status(MODEL)
    assert (status.watermark, status.windows) == (None, ())
    await pipeline.advance(messages(PREDICTED, first=len(PREDICTED)))
    again = await pipeline.status(MODEL)
    assert again.watermark
    clock.now += 60
    await pipeline.advance([])
    restarted = new_pipeline(store, clock)
    await restarted.load()
    await restarted.advance([])
    assert (await restarted.status(MODEL)).watermark == again.watermark


def shifted_by(rows: pa.Table, days: int) -> pa.Table:
    """Return rows whose event time is `days` days after they were made."""
    index = rows.schema.get_field_index("event_time")
    later = [made + timedelta(days=days) for made in rows.column("made_at").to_pylist()]
    return rows.set_column(index, "event_time", pa.array(later, logs.TIMESTAMP))


async def test_an_undecodable_message_is_skipped_and_counts_as_read(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance([FakeMessage(PREDICTIONS_LOG, 0, b"poison"), *messages(PREDICTED[:1], first=1)])  # type: ignore[list-item]
    clock.now = 2
    await pipeline.advance([])
    assert store.positions == {(PREDICTIONS_LOG, 0): 2}
    assert [type(record.args[0]) for record in caplog.records] == [UnreadableLogError]  # type: ignore[index]


class ThreadRecordingTables(dict[str, StoredTable]):
    """Records the thread that reads it."""

    read_in: threading.Thread | None = None

    def __getitem__(self, name: str) -> StoredTable:
        self.read_in = threading.current_thread()
        return super().__getitem__(name)


async def test_a_checkpoint_is_decoded_off_the_event_loop() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    clock.now = 2
    await pipeline.advance(messages(PREDICTED[:1]))
    tables = ThreadRecordingTables(store.models[MODEL].tables)
    store.models[MODEL] = replace(store.models[MODEL], tables=tables)
    await pipeline.load()
    assert tables.read_in not in (None, threading.main_thread())


@pytest.mark.medium
async def test_the_windows_of_a_replaced_version_close_after_a_restart() -> None:
    """The profile of the version is loaded again, though only its windows need it."""
    store, clock, half = await filled_store(), FakeClock(), len(PREDICTED) // 2
    await store.save_profile(DIGEST_2, PROFILE)
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED[:half], KNOWN[:half]))
    await store.save_champion(MODEL, ChampionRevision(2, 2, DIGEST_2))
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    by_next = [encode_predictions(read_predictions(each).rows, 2, DIGEST_2) for each in PREDICTED[half:]]
    await pipeline.advance(messages(by_next, KNOWN[half:], first=half))
    closed = [each for each in published(store).values() if isinstance(each, WindowClosed)]
    assert sum(each.window.rows for each in closed) == 7 * 200
    assert {(each.model_version, each.role) for each in closed[-4:]} == {(1, "replaced"), (2, "champion")}
    status = await pipeline.status(MODEL)
    assert (status.version, status.replaced) == (2, ())


@pytest.mark.medium
async def test_a_second_monitor_is_fenced_off() -> None:
    store, clock = await filled_store(), FakeClock()
    first, second = new_pipeline(store, clock), new_pipeline(store, clock)
    await first.load()
    await second.load()
    await first.advance(messages(PREDICTED, KNOWN))
    with pytest.raises(FencedError):
        await second.advance(messages(PREDICTED, KNOWN))
    assert await uninterrupted() == published(store)


@pytest.mark.medium
async def test_the_status_has_the_open_windows_and_the_alarms() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    status = await pipeline.status(MODEL)
    (window,) = status.windows
    assert (window.rows, window.labelled_rows, status.version) == (200, 200, 1)
    found = [each for each in published(store).values() if isinstance(each, DriftDetected)]
    assert status.alerts["drift"] == found[0].finding_id
    (x,) = [each for each in status.columns if each.column == "x"]
    assert (x.since, x.since_earliest, x.since_latest) == (
        found[-1].since, found[-1].since_earliest, found[-1].since_latest
    )  # fmt: skip
    assert abs(found[0].since - (EPOCH + timedelta(days=4))) <= timedelta(hours=12)
    assert (status.window_seconds, status.bucket_seconds, status.no_verdict) == (86_400, 300, None)
    assert (await pipeline.summaries())[0].open_alerts == tuple(status.alerts) == ("drift", "performance")
    assert status.clock_set_back == LogCounts(predictions=0, outcomes=0)
    with pytest.raises(UnknownModelError) as unknown:
        await pipeline.status("unknown")
    assert unknown.value.known == [MODEL]


@pytest.mark.medium
@pytest.mark.parametrize("computed", ["model_status", "summary"])
async def test_what_people_ask_for_is_computed_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, computed: str
) -> None:
    threads: list[int] = []
    compute = getattr(pipeline_module, computed)

    def recorded(*given: object) -> object:
        threads.append(threading.get_ident())
        return compute(*given)

    monkeypatch.setattr(pipeline_module, computed, recorded)
    pipeline = new_pipeline(await filled_store(), FakeClock())
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    await (pipeline.summaries() if computed == "summary" else pipeline.status(MODEL))
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.medium
async def test_a_spec_with_other_windows_resolves_the_alerts_of_the_evidence_that_it_discards() -> None:
    store = await filled_store()
    pipeline = new_pipeline(store, FakeClock())
    await pipeline.load()
    await pipeline.advance(messages(PREDICTED, KNOWN))
    raised = {each.alert_id for each in published(store).values() if isinstance(each, AlertRaised)}
    async with store.work() as work:
        await work.save_spec(MODEL, 2, spec(window="7d"))
    await pipeline.advance([])
    assert raised
    assert {each.alert_id for each in published(store).values() if isinstance(each, AlertResolved)} == raised
    restarted = new_pipeline(store, FakeClock())
    await restarted.load()
    assert restarted.models[MODEL].open_alerts == {}
