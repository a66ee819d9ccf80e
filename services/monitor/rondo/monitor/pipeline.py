"""The state that the follower feeds: every model's watch in memory, what the control plane said, and the saves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from rondo.chassis.stream.records import place
from rondo.chassis.telemetry import span
from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.monitor import metrics
from rondo.monitor.closing import close
from rondo.monitor.errors import UnknownModelError, UnreadableLogError
from rondo.monitor.model_state import Watch
from rondo.monitor.pace import Pace
from rondo.monitor.state.checkpointer import Saving
from rondo.monitor.state.codec import thaw
from rondo.monitor.state.control_plane_cache import Known
from rondo.monitor.status_view import picture
from rondo.monitor.stream import log_messages
from rondo.monitor.stream.idleness import Silence
from rondo.monitor.stream.message_buffer import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.ports import News, Position, SavedWatch, Store

log = logging.getLogger(__name__)
TOPICS = (PREDICTIONS_LOG, OUTCOMES_LOG)


class Watching:
    """Implements `rondo.chassis.stream.follower.State`. `clock` is monotonic: it paces saves and finds idle streams."""

    def __init__(self, store: Store, news: News, clock: Callable[[], float], pace: Pace | None = None) -> None:
        self._clock, self._pace = clock, pace or Pace()
        self._known = Known(store, news)
        self._saving = Saving(store, clock, self._pace)
        self._silence = Silence(self._pace)
        self.models: dict[str, Waiting] = {}

    async def load(self) -> Mapping[Position, int]:
        """Load what was saved, and what the control plane has said."""
        saved, now = await self._saving.load(), self._clock()
        # Off the event loop: with a million rows that wait it takes a good part of a second.
        self.models = await asyncio.to_thread(_thawed, saved, self._pace.disorder_micros, now)
        self._silence.forget()
        await self._known.learn(self.models.values())
        return self._saving.positions

    def caught_up(self) -> None:
        """Hear that what the logs held at the last load has been taken in: from now on it counts if they are silent."""
        self._silence.begin(self._clock())

    async def advance(self, messages: Sequence[Message]) -> None:
        """Take in messages, judge the windows that are due, and save when it is time."""
        # One time for all of it: while messages are taken in nobody listens, so that is no silence.
        now = self._clock()
        await self._known.follow(self.models.values())
        announcements = self._apply()
        self._take(messages, now)
        await self._count(now)
        with span("judge windows"):
            announcements += await self._close(now)
            if announcements or self._saving.due:
                await self._saving.save(self.models, announcements)
                _tally(announcements)

    def look(self, model: str) -> dict[str, Any]:
        """Return the picture of a model, for people.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        specs, waiting = self._known.knowledge.specs, self.models.get(model)
        if model not in specs or waiting is None:
            raise UnknownModelError(model, sorted(specs))
        return picture(waiting.watch, specs[model], self._known.reference(waiting.watch))

    def _apply(self) -> list[Announcement]:
        announcements = []
        for model, champion in self._known.knowledge.champions.items():
            watch = self._model(model).watch
            if watch.champion is None or watch.champion.revision < champion.revision:
                announcements += watch.promote(champion)
                self._saving.changed.add(model)
        for model, spec in self._known.knowledge.specs.items():
            self._model(model).watch.apply(spec)
        return announcements

    def _take(self, messages: Sequence[Message], now: float) -> None:
        for message in messages:
            topic, partition, offset = place(message)
            try:
                model = self._take_one(topic, message, now)
                self._saving.changed.add(model)
            except UnreadableLogError as error:
                log.error("%s", error, extra={"partition": partition, "offset": offset})  # noqa: TRY400
                metrics.BAD_MESSAGES.labels(topic).inc()
            self._saving.positions[topic, partition] = offset + 1

    def _take_one(self, topic: str, message: Message, now: float) -> str:
        value = message.value() or b""
        if topic == PREDICTIONS_LOG:
            predictions = log_messages.read_predictions(value)
            self._silence.heard(predictions.model, "predictions", now)
            self._model(predictions.model).hold(value, predictions, now)
            return predictions.model
        outcomes = log_messages.read_outcomes(message.key(), value)
        self._take_outcomes(outcomes, message.timestamp()[1] * 1_000, now)
        return outcomes.model

    def _take_outcomes(self, outcomes: log_messages.Outcomes, written: int, now: float) -> None:
        watch = self._model(outcomes.model).watch
        before = watch.known.newest
        watch.take_outcomes(outcomes.rows, written)
        self._silence.heard(outcomes.model, "outcomes", now)
        if watch.known.newest > before:
            self._silence.heard(outcomes.model, "newer outcomes", now)
        metrics.ROWS.labels(OUTCOMES_LOG).inc(outcomes.rows.num_rows)

    async def _count(self, now: float) -> None:
        """Count what is held, as far as profiles and specs are known."""
        await self._known.seek(self.models.values())
        overdue = now - self._pace.patience
        for model, waiting in self.models.items():
            rows = waiting.count(self._known.references, overdue)
            if rows:
                self._saving.changed.add(model)
                metrics.ROWS.labels(PREDICTIONS_LOG).inc(rows)

    async def _close(self, now: float) -> list[Announcement]:
        announcements: list[Announcement] = []
        for model, waiting in self.models.items():
            watch, spec = waiting.watch, self._known.knowledge.specs.get(model)
            reference = self._known.reference(watch)
            announcements += watch.left_out.speak()
            self._silence.catch_up(waiting, now)
            idle = self._silence.outcomes_idle(model, now)
            if spec is None or reference is None or not watch.ripe(outcomes_idle=idle):
                continue
            await asyncio.to_thread(watch.settle)
            if idle:
                self._tell_unlabelled(watch)
            announcements += close(watch, spec, reference, outcomes_idle=idle)
            self._saving.changed.add(model)
        return announcements

    def _tell_unlabelled(self, watch: Watch) -> None:
        without = len(watch.ripe(outcomes_idle=True)) - len(watch.ripe(outcomes_idle=False))
        if without:
            metrics.UNLABELLED.labels(watch.model).inc(without)
            log.warning(
                "%s: no newer outcome came for %g s, so %d windows are judged on those that did; is ingestion up?",
                watch.model, self._pace.outcomes_idle, without,
            )  # fmt: skip

    def _model(self, model: str) -> Waiting:
        if model not in self.models:
            self.models[model] = Waiting(Watch(model, self._pace.disorder_micros))
        return self.models[model]


def _thawed(saved: Mapping[str, SavedWatch], disorder: int, now: float) -> dict[str, Waiting]:
    return {model: thaw(model, kept, disorder, now) for model, kept in saved.items()}


def _tally(announcements: Sequence[Announcement]) -> None:
    for each in announcements:
        metrics.FINDINGS.labels(type(each.event).__name__).inc()
        if type(each.event).__name__ == "WindowClosed":
            metrics.WINDOWS_CLOSED.labels(each.event.key).inc()
