"""A stream that stops, in the pipeline: the time that counts as silence, and what remains of it after a restart."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events import logs
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, DataQualityDegraded

from tests.monitor.builders import EPOCH, MODEL, SPEC, encode_predictions, predictions
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.monitor.pipeline.stores import filled_store, new_pipeline
from tests.monitor.streams import BINARY

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.monitor.pipeline import MonitorPipeline

import numpy as np
import pyarrow as pa
import pytest

HOURS = 3_600.0


def requests(begin: datetime, count: int) -> bytes:
    """Return a message with a row for each ten minutes."""
    at = [begin + timedelta(minutes=10 * i) for i in range(count)]
    ids = [f"{begin:%j%H%M}-{i}" for i in range(count)]
    return encode_predictions(predictions(BINARY.rows(np.random.default_rng(1), count, 0.0), at, ids))


def kinds(store: MemoryStore) -> list[str]:
    wanted = (AlertRaised, AlertResolved, DataQualityDegraded)
    found = [each.event for each in store.published if isinstance(each.event, wanted)]
    # These requests have no outcomes, which is also reported.
    others = [each for each in found if "no_outcomes" not in (getattr(each, "kind", ""), getattr(each, "problem", ""))]
    return [type(each).__name__ for each in others]


async def started(store: MemoryStore, clock: FakeClock) -> MonitorPipeline:
    pipeline = new_pipeline(store, clock)
    await pipeline.load()
    return pipeline


@pytest.mark.medium
async def test_a_stream_that_stops_raises_an_alert_which_ends_with_the_next_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "rondo.monitor.pipeline")
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    pipeline.caught_up()
    await pipeline.advance(messages([requests(EPOCH, 1_200)]))
    # The longest gap is ten minutes, so a silence of twice that is allowed.
    clock.now = 1_199.0
    await pipeline.advance([])
    assert kinds(store) == []
    clock.now = 1_201.0
    await pipeline.advance([])
    assert kinds(store) == ["DataQualityDegraded", "AlertRaised"]
    assert (await pipeline.status(MODEL)).alerts.keys() >= {"silence"}
    assert "silence" in (await pipeline.summaries())[0].open_alerts
    clock.now = 9 * HOURS
    await pipeline.advance(messages([requests(EPOCH + timedelta(days=9), 1)], first=1))
    assert kinds(store)[2:] == ["AlertResolved"]
    assert "silence" not in (await pipeline.status(MODEL)).alerts
    (raised,) = (e.event for e in store.published if isinstance(e.event, AlertRaised) and e.event.kind == "silence")
    (resolved,) = (each.event for each in store.published if isinstance(each.event, AlertResolved))
    logged = [record.args for record in caplog.records if record.levelname == "INFO"]
    assert logged[-2:] == [(MODEL, "silence", raised.title), (MODEL, raised.alert_id, resolved.detail)]


@pytest.mark.medium
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


@pytest.mark.medium
async def test_outcomes_that_never_come_are_reported_unless_the_spec_says_that_none_do() -> None:
    for judged_by, open_alerts in (("outcomes", {"no_outcomes"}), ("guards", set())):
        store, clock = await filled_store(), FakeClock()
        rollout = SPEC.rollout.model_copy(update={"judged_by": judged_by})
        await store.save_spec(MODEL, 2, SPEC.model_copy(update={"rollout": rollout}))
        pipeline = await started(store, clock)
        pipeline.caught_up()
        await pipeline.advance(messages([requests(EPOCH, 144 * 2)]))
        clock.now += 60.0
        await pipeline.advance([])
        assert (await pipeline.status(MODEL)).alerts.keys() == set()
        await pipeline.advance(messages([requests(EPOCH + timedelta(days=2), 144 * 2)], first=1))
        assert (await pipeline.status(MODEL)).alerts.keys() == open_alerts
        again = await started(store, FakeClock())
        await again.advance(messages([requests(EPOCH + timedelta(days=5), 144)], first=2))
        assert (await again.status(MODEL)).alerts.keys() == open_alerts


async def test_outcomes_are_not_missed_while_their_log_is_read() -> None:
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    await pipeline.advance(messages([requests(EPOCH, 144 * 5)]))
    clock.now += HOURS
    await pipeline.advance([])
    pipeline.caught_up()
    clock.now += 59.0
    await pipeline.advance([])
    assert (await pipeline.status(MODEL)).alerts.keys() == set()
    clock.now += 1.0
    await pipeline.advance([])
    assert (await pipeline.status(MODEL)).alerts.keys() == {"no_outcomes"}


def replayed(begin: datetime, count: int, *, dated: bool = True) -> bytes:
    """Return requests of ten minutes each that are made in the following year, with their event time or without one."""
    batch = logs.decode(requests(begin, count))
    made = pa.array([EPOCH + timedelta(days=366)] * count, logs.TIMESTAMP)
    table = pa.Table.from_batches([batch]).set_column(batch.schema.get_field_index("made_at"), "made_at", made)
    if not dated:
        at = batch.schema.get_field_index("event_time")
        table = table.set_column(at, "event_time", pa.nulls(count, logs.TIMESTAMP))
    return logs.encode(table.combine_chunks().to_batches()[0].replace_schema_metadata(batch.schema.metadata))


@pytest.mark.medium
async def test_outcomes_of_a_replay_are_missed_from_its_first_request_on() -> None:
    """A request without an event time precedes the replay. Event time starts over with the replay's 500th request."""
    store, clock = await filled_store(), FakeClock()
    pipeline = await started(store, clock)
    pipeline.caught_up()
    sent = [replayed(EPOCH, 1, dated=False), *(replayed(EPOCH + timedelta(days=day), 144) for day in range(5))]
    for number, message in enumerate(sent):
        await pipeline.advance(messages([message], first=number))
    clock.now += 60.0
    await pipeline.advance([])
    assert pipeline.models[MODEL].quality.streams.first_request == int(EPOCH.timestamp()) * 1_000_000
    assert (await pipeline.status(MODEL)).alerts.keys() >= {"no_outcomes"}
