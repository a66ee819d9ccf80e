"""The timetable: what is due is asked for once, whoever keeps it; in memory and on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from registry_stories import apply, told
from rondo.contracts.spec.file import parse_spec
from rondo.registry.schedule.scheduler import Timetable

if TYPE_CHECKING:
    from registry_stories import Backend


async def test_a_schedule_asks_once_with_two_replicas(store: Backend, spec_text: str) -> None:
    await apply(store, parse_spec(spec_text + 'retrain: {on: ["cron: 0 * * * *"]}\n'))
    later = datetime.now(UTC) + timedelta(hours=5)
    replicas = [Timetable(store, store, lambda: later) for _ in range(2)]
    await asyncio.gather(*(replica.turn() for replica in replicas))
    assert await told(store) == ["SpecApplied", "TrainingRequested"]
    due = later.replace(minute=0, second=0, microsecond=0)
    assert (await store.published())[1][0] == f"schedule/late/0 * * * */{due.isoformat()}"
    pause = await Timetable(store, store, lambda: due + timedelta(minutes=59, seconds=55)).turn()
    assert 0 < pause <= 5
    assert await told(store) == ["SpecApplied", "TrainingRequested"]
