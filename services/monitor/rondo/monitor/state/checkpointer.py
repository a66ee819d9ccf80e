"""When the state of the watching is saved, and that: the models that changed, the Kafka positions, what is announced.

A save comes a second after the last one, later where saves are slow, and at once when there is something to announce;
the announcements are rows of the outbox in the same transaction. So a crash loses no row, counts none twice and
announces nothing twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.monitor import metrics
from rondo.monitor.ports import Position, Saved
from rondo.monitor.state.codec import freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.pace import Pace
    from rondo.monitor.ports import SavedWatch, Store
    from rondo.monitor.stream.message_buffer import Waiting


class Saving:
    """Saves to a store; `clock` is monotonic. `positions` are the next offsets to read, and `changed` the models."""

    def __init__(self, store: Store, clock: Callable[[], float], pace: Pace) -> None:
        self._store, self._clock, self._pace = store, clock, pace
        self._turn = 0
        self._not_before = clock()
        self.positions = dict[Position, int]()
        self.changed = set[str]()

    async def load(self) -> Mapping[str, SavedWatch]:
        """Begin with what was saved last; returns the models."""
        saved = await self._store.load()
        self._turn, self.positions, self.changed = saved.turn, dict(saved.positions), set()
        self._not_before = self._clock() + self._pace.save_every
        return saved.watches

    @property
    def due(self) -> bool:
        """Whether it is time, though nothing is to be announced."""
        return bool(self.changed) and self._clock() >= self._not_before

    async def save(self, models: Mapping[str, Waiting], announcements: Sequence[Announcement]) -> None:
        """Save what changed and announce: all of it, or nothing.

        Raises:
            FencedError: another process has saved since.

        """
        began = self._clock()
        # Off the event loop: with a million rows that wait it takes a good part of a second.
        kept = await asyncio.to_thread(_frozen, [models[model] for model in sorted(self.changed)])
        await self._store.save(Saved(self._turn, dict(self.positions), kept), announcements)
        took = self._clock() - began
        self._turn, self.changed = self._turn + 1, set()
        self._not_before = self._clock() + self._pace.until_save(took)
        metrics.SAVE_SECONDS.observe(took)
        _measure(models[model] for model in kept)


def _frozen(changed: Sequence[Waiting]) -> dict[str, SavedWatch]:
    for waiting in changed:
        waiting.watch.settle()
    return {waiting.watch.model: freeze(waiting) for waiting in changed}


def _measure(saved: Iterable[Waiting]) -> None:
    for waiting in saved:
        watch = waiting.watch
        metrics.HELD_BYTES.labels(watch.model).set(waiting.held_bytes)
        metrics.COVERAGE.labels(watch.model).set(watch.left_out.coverage.last)
        metrics.SET_BACK.labels(watch.model, PREDICTIONS_LOG).set(watch.watermark.set_back)
        metrics.SET_BACK.labels(watch.model, OUTCOMES_LOG).set(watch.known.set_back)
        for reason, count in watch.left_out.counted.items():
            metrics.COUNTED.labels(watch.model, reason).set(count)
