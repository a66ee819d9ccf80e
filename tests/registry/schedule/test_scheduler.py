"""The cron scheduler requests each due time once, on the store in memory and on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.spec.file import parse_spec
from rondo.registry.schedule.scheduler import CronScheduler

from tests.registry.scenarios import apply, published_types

if TYPE_CHECKING:
    from tests.registry.scenarios import Backend


async def test_two_replicas_request_a_due_time_once(store: Backend, spec_text: str) -> None:
    await apply(store, parse_spec(spec_text + 'retrain: {on: ["cron: 0 * * * *"]}\n'))
    later = datetime.now(UTC) + timedelta(hours=5)
    replicas = [CronScheduler(store, store, lambda: later) for _ in range(2)]
    await asyncio.gather(*(replica.tick() for replica in replicas))
    assert await published_types(store) == ["SpecApplied", "TrainingRequested"]
    due = later.replace(minute=0, second=0, microsecond=0)
    assert (await store.published())[1][0] == f"schedule/late/0 * * * */{due.isoformat()}"
    pause = await CronScheduler(store, store, lambda: due + timedelta(minutes=59, seconds=55)).tick()
    assert 0 < pause <= 5
    assert await published_types(store) == ["SpecApplied", "TrainingRequested"]


async def test_a_stored_schedule_that_this_release_cannot_read_stops_no_other(
    store: Backend, spec_text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier parser accepted weekdays such as fri-mon."""
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr("rondo.contracts.spec.cron.problem", lambda _: None)
        spec = parse_spec(spec_text + 'retrain: {on: ["cron: 0 3 * * fri-mon", "cron: 0 * * * *"]}\n')
        await apply(store, spec)
    later = datetime.now(UTC) + timedelta(hours=5)
    scheduler = CronScheduler(store, store, lambda: later)
    with caplog.at_level("WARNING"):
        await scheduler.tick()
        await scheduler.tick()
    assert await published_types(store) == ["SpecApplied", "TrainingRequested"]
    (warning,) = caplog.records
    assert warning.args is not None
    assert tuple(warning.args)[:2] == (spec.model, "0 3 * * fri-mon")
