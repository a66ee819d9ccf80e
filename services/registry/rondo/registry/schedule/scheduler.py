"""Keeps the schedules: wakes when the next training is due, and asks for it in a unit of work."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.registry import commands
from rondo.registry.schedule import cron, rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.ports import Archive, Store

log = logging.getLogger(__name__)
# A spec may be applied at another replica meanwhile; cron knows nothing finer than a minute anyway.
LOOK_AGAIN_SECONDS = 20.0


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


class Timetable:
    """Any number of replicas may keep it: each due time is asked for once."""

    def __init__(self, store: Store, archive: Archive, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock

    async def run(self) -> None:
        """Keep the schedules until cancelled."""
        await rounds.go_round("the schedules", self.turn)

    async def turn(self) -> float:
        """Ask for what is due, and return the seconds until to look again."""
        now = self._clock()
        scheduled = [spec for spec in await self._archive.specs() if cron.expressions(spec.retrain.on)]
        for spec in scheduled:
            async with self._store.work() as work:
                triggers = await commands.train_when_due(work, spec.model, now)
            for trigger in triggers:
                log.info("asked for a training of %s, due at %s", spec.model, trigger.at)
        return min([LOOK_AGAIN_SECONDS, *_waits(scheduled, now)])


def _waits(specs: Sequence[ModelSpec], now: datetime) -> list[float]:
    return [
        (cron.next_due(expression, now) - now).total_seconds()
        for spec in specs
        for expression in cron.expressions(spec.retrain.on)
    ]
