"""The cron scheduler: wakes when the next training is due, and requests it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.periodic import run_periodically
from rondo.contracts.spec.cron import next_due
from rondo.registry.model import runs
from rondo.registry.model.model import SCHEDULER, Actor
from rondo.registry.schedule import cron

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.ports import ModelQueries, ScheduleTable, Store

log = logging.getLogger(__name__)
# Another replica may have applied a spec meanwhile. Cron has no unit below a minute.
POLL_SECONDS = 20.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class CronScheduler:
    """Runs in every registry replica. The training of each due time is requested once."""

    def __init__(self, store: Store, queries: ModelQueries, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock
        self._reported: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        await run_periodically("the cron scheduler", self.tick)

    async def tick(self) -> float:
        """Request the trainings that are due. Returns the seconds until the next tick."""
        now = self._clock()
        specs = await self._queries.specs()
        self._report_problems(specs)
        scheduled = [spec for spec in specs if cron.expressions(spec.retrain.on)]
        for spec in scheduled:
            async with self._store.work() as work:
                triggers = await request_due_trainings(work, spec.model, now)
            for trigger in triggers:
                log.info("requested a training of %s, due at %s", spec.model, trigger.at)
        return min([POLL_SECONDS, *_waits(scheduled, now)])

    def _report_problems(self, specs: Sequence[ModelSpec]) -> None:
        """Log each schedule that this release can't read, once for each replica. The others go on."""
        for spec in specs:
            for expression, problem in cron.problems(spec.retrain.on).items():
                if (spec.model, expression) not in self._reported:
                    self._reported.add((spec.model, expression))
                    log.warning(
                        "%s: the schedule %r starts no training, for %s; change `retrain.on` and apply the spec",
                        *(spec.model, expression, problem),
                    )


async def request_due_trainings(work: ScheduleTable, name: str, now: datetime) -> tuple[Trigger, ...]:
    """Request the trainings of a model that are due by `now`. Each due time is requested once."""
    model = await work.load_for_update(name)
    triggers: list[Trigger] = []
    for expression in cron.expressions(model.spec.retrain.on) if model else ():
        at = cron.due(expression, await work.schedule_base(name, expression), now)
        if at is not None:
            await work.complete_schedule(name, expression, at)
            triggers.append(cron.trigger(name, expression, at))
            actor = Actor(SCHEDULER.name, f"cron: {expression}")
            event, entry = runs.request(name, triggers[-1], actor)
            await work.publish(event, event.trigger.id)
            await work.append_audit(name, actor, entry)
    return tuple(triggers)


def _waits(specs: Sequence[ModelSpec], now: datetime) -> list[float]:
    return [
        (next_due(expression, now) - now).total_seconds()
        for spec in specs
        for expression in cron.expressions(spec.retrain.on)
    ]
