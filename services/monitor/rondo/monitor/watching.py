"""The state that the follower feeds: every model's watch in memory, saved with the Kafka positions as one.

A save comes a second after the last one, and at once when there is something to announce; the announcements are
rows of the outbox in the same transaction. So a crash loses no row, counts none twice and announces nothing twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rondo.chassis.records import place
from rondo.chassis.telemetry import span
from rondo.contracts.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.monitor import intake, metrics
from rondo.monitor.errors import UnknownModelError, UnreadableLogError
from rondo.monitor.picture import picture
from rondo.monitor.ports import Knowledge, Position, Saved
from rondo.monitor.reference import Reference
from rondo.monitor.saved import freeze, thaw
from rondo.monitor.waiting import Waiting
from rondo.monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.monitor.alerts import Announcement
    from rondo.monitor.ports import News, Store

log = logging.getLogger(__name__)
TOPICS = (PREDICTIONS_LOG, OUTCOMES_LOG)


class Watching:
    """Implements `rondo.chassis.follow.State`. `clock` is monotonic: it paces saves and finds idle outcomes."""

    def __init__(
        self, store: Store, news: News, clock: Callable[[], float], save_every: float = 1.0, idle_after: float = 5.0
    ) -> None:
        self._store, self._news, self._clock = store, news, clock
        self._save_every, self._idle_after = save_every, idle_after
        self.knowledge = Knowledge({}, {})
        self.references: dict[str, Reference] = {}
        self.models: dict[str, Waiting] = {}
        self._turn, self._positions = 0, dict[Position, int]()
        self._moved = dict[str, float]()
        self._dirty: set[str] = set()
        self._saved_at = self._loaded_at = clock()

    async def load(self) -> Mapping[Position, int]:
        """Load what was saved, and what the control plane has said."""
        saved = await self._store.load()
        self._turn, self._positions, self._dirty = saved.turn, dict(saved.positions), set()
        self.models = {}
        for model, kept in saved.watches.items():
            watch, held = thaw(model, kept)
            self.models[model] = Waiting(watch, held)
        self._news.heard()
        self._saved_at = self._loaded_at = self._clock()
        self._moved = {}
        await self._learn()
        return self._positions

    async def advance(self, messages: Sequence[Message]) -> None:
        """Take in messages, judge the windows that are due, and save when it is time."""
        announcements = await self._follow_news()
        self._take(messages)
        await self._count()
        with span("judge windows"):
            announcements += self._close()
            if announcements or (self._dirty and self._clock() - self._saved_at >= self._save_every):
                await self._save(announcements)

    def look(self, model: str) -> dict[str, Any]:
        """Return the picture of a model, for people.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        spec, waiting = self.knowledge.specs.get(model), self.models.get(model)
        if spec is None or waiting is None:
            raise UnknownModelError(model, sorted(self.knowledge.specs))
        champion = waiting.watch.champion
        return picture(waiting.watch, spec, self.references.get(champion.digest) if champion else None)

    async def _follow_news(self) -> list[Announcement]:
        if self._news.heard():
            await self._learn()
        return self._apply()

    async def _learn(self) -> None:
        self.knowledge = await self._store.knowledge()
        # What was sought in vain may be known by now.
        for waiting in self.models.values():
            waiting.sought.clear()

    def _apply(self) -> list[Announcement]:
        announcements = []
        for model, champion in self.knowledge.champions.items():
            watch = self._model(model).watch
            if watch.champion is None or watch.champion.revision < champion.revision:
                announcements += watch.promote(champion)
                self._dirty.add(model)
        for model, spec in self.knowledge.specs.items():
            self._model(model).watch.apply(spec)
        return announcements

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            topic, partition, offset = place(message)
            value = message.value() or b""
            try:
                if topic == PREDICTIONS_LOG:
                    predictions = intake.read_predictions(value)
                    self._model(predictions.model).hold(value, predictions)
                    model = predictions.model
                else:
                    outcomes = intake.read_outcomes(message.key(), value)
                    model = outcomes.model
                    self._take_outcomes(outcomes)
                self._dirty.add(model)
            except UnreadableLogError as error:
                log.error("%s", error, extra={"partition": partition, "offset": offset})  # noqa: TRY400
                metrics.BAD_MESSAGES.labels(topic).inc()
            self._positions[topic, partition] = offset + 1

    def _take_outcomes(self, outcomes: intake.Outcomes) -> None:
        watch = self._model(outcomes.model).watch
        before = watch.known
        watch.take_outcomes(outcomes.rows)
        if watch.known > before:
            self._moved[outcomes.model] = self._clock()
        metrics.ROWS.labels(OUTCOMES_LOG).inc(outcomes.rows.num_rows)

    async def _count(self) -> None:
        """Count what is held, as far as profiles and specs are known."""
        sought = {digest for each in self.models.values() for digest in each.missing(self.references)}
        if sought:
            for digest, profiled in (await self._store.profiles(sorted(sought))).items():
                self.references[digest] = Reference.of(profiled)
        for waiting in self.models.values():
            rows = waiting.count(self.references)
            if rows:
                metrics.ROWS.labels(PREDICTIONS_LOG).inc(rows)

    def _close(self) -> list[Announcement]:
        announcements: list[Announcement] = []
        for model, waiting in self.models.items():
            watch, spec = waiting.watch, self.knowledge.specs.get(model)
            reference = self.references.get(watch.champion.digest) if watch.champion else None
            if spec is None or reference is None or not watch.waits():
                continue
            watch.settle()
            announcements += watch.close(spec, reference, outcomes_idle=self._idle(model))
            self._dirty.add(model)
        return announcements

    def _idle(self, model: str) -> bool:
        """Tell whether the outcomes have stood still for a while: no window waits for those that never come.

        Flink's `withIdleness`; the only use of a clock, and it changes no figure while outcomes flow.
        """
        return self._clock() - self._moved.get(model, self._loaded_at) >= self._idle_after

    async def _save(self, announcements: list[Announcement]) -> None:
        kept = {}
        for model in self._dirty:
            waiting = self.models[model]
            waiting.watch.settle()
            kept[model] = freeze(waiting.watch, waiting.held)
            _measure(waiting)
        await self._store.save(Saved(self._turn, dict(self._positions), kept), announcements)
        self._turn, self._dirty, self._saved_at = self._turn + 1, set(), self._clock()
        for each in announcements:
            metrics.FINDINGS.labels(type(each.event).__name__).inc()
            if type(each.event).__name__ == "WindowClosed":
                metrics.WINDOWS_CLOSED.labels(each.event.key).inc()

    def _model(self, model: str) -> Waiting:
        if model not in self.models:
            self.models[model] = Waiting(Watch(model), [])
        return self.models[model]


def _measure(waiting: Waiting) -> None:
    watch = waiting.watch
    metrics.HELD_BYTES.labels(watch.model).set(waiting.held_bytes)
    for reason, count in watch.counted.items():
        metrics.COUNTED.labels(watch.model, reason).set(count)
