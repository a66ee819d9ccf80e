"""The path from messages of the logs to findings, for the models of a partition number.

The pipeline has the state of every model, the control plane's data, and the checkpoints.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ClassVar

from rondo.chassis.kafka_records import place
from rondo.chassis.telemetry import span
from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, WindowClosed
from rondo.contracts.vocabularies import RouteRole
from rondo.monitor import metrics
from rondo.monitor.candidates import CANDIDATE_ROLES
from rondo.monitor.costs.cost_status import Power
from rondo.monitor.errors import UnknownModelError, UnreadableLogError
from rondo.monitor.label_requests.requests import request_labels
from rondo.monitor.label_requests.wanted_labels import wanted_labels
from rondo.monitor.model_state import ModelState
from rondo.monitor.quality.skew import NOTHING_MEASURED
from rondo.monitor.state.checkpointer import Checkpointer
from rondo.monitor.state.control_plane_cache import ControlPlaneCache
from rondo.monitor.status.model_status import model_status, over_models, summary
from rondo.monitor.stream import log_messages
from rondo.monitor.stream.idleness import IdlenessTracker
from rondo.monitor.stream.partition_numbers import EVERYTHING, PartitionNumber, number_of
from rondo.monitor.user_detectors.block_figures import sampled_blocks
from rondo.monitor.user_detectors.user_figures import is_user_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.label_requests.wanted_labels import WantedLabels
    from rondo.monitor.ports import ChangeSignal, Position, Store, UserDetectors
    from rondo.monitor.settings import MonitorTimings
    from rondo.monitor.status.model_status import ModelStatus, ModelSummary
    from rondo.monitor.stream.log_messages import Outcomes, Predictions
    from rondo.monitor.user_detectors.user_figures import UserFiguresByWindow

log = logging.getLogger(__name__)
TOPICS = (PREDICTIONS_LOG, OUTCOMES_LOG)


class MonitorPipeline:
    """Implements `rondo.chassis.stream.follower.State`. `clock` is monotonic, in seconds. No figure depends on it."""

    # A message takes effect at once, and the rows of other models must not wait for a message that fails.
    skips: ClassVar[bool] = True

    def __init__(
        self,
        store: Store,
        signal: ChangeSignal,
        clock: Callable[[], float],
        timings: MonitorTimings,
        user_detectors: UserDetectors | None = None,
        *,
        power: Power | None = None,
        part: PartitionNumber = EVERYTHING,
    ) -> None:
        self._part = part
        self._clock, self._timings, self._user_detectors = clock, timings, user_detectors
        self._power = power or Power()
        self._control_plane = ControlPlaneCache(store, signal)
        self._checkpointer = Checkpointer(store, clock, timings)
        self._idleness = IdlenessTracker()
        # The time until which silence has been counted. None while the initial backlog is read.
        self._watched_until: float | None = None
        # The announcements that were made while messages were read. The next checkpoint publishes them.
        self._compared: list[Announcement] = []
        self.models: dict[str, ModelState] = {}
        self.is_loaded = False

    async def load(self) -> Mapping[Position, int]:
        """Load the latest checkpoint and the control plane's data. Returns the positions to read from."""
        self.models = await self._checkpointer.load()
        self._idleness.reset()
        self._watched_until, self._compared = None, []
        await self._control_plane.refresh()
        self.is_loaded = True
        return self._checkpointer.positions

    def caught_up(self) -> None:
        """Start the idle timeouts: the initial backlog has been consumed."""
        now = self._clock()
        self._idleness.arm(now)
        self._watched_until = now

    async def advance(self, messages: Sequence[Message]) -> None:
        """Take messages, close due windows, and save a checkpoint when it is due."""
        # One time for the whole call: no messages are read while messages are processed, and that is not idleness.
        now = self._clock()
        await self._control_plane.refresh_if_changed()
        announcements = self._apply_control_plane()
        self._watch_streams(now)
        for message in messages:
            self._read(message, now)
        await self._count_buffered(now)
        self._advance_idle_watermarks(now)
        for model, state in self.models.items():
            announcements += state.dropped.drain_alerts()
            announcements += self._look_at_quality(model, state, now)
            stepped, alerts = state.look_at_candidates(self._control_plane.references)
            announcements += alerts
            self._checkpointer.changed |= {model} if stepped else set()
            if reference := self._control_plane.champion_reference(state.champion):
                looked = [*state.look(reference), *request_labels(state), *await self._take_figures(state, reference)]
                announcements += looked
                self._checkpointer.changed |= {model} if looked else set()
        announcements += self._compared
        self._compared = []
        due = self._due(now)
        if announcements or due:
            with span("evaluate"):
                await self._publish([*announcements, *await self._close_windows(due, now)])
        elif self._checkpointer.due:
            await self._publish([])

    async def status(self, model: str) -> ModelStatus:
        """Return the status of a model, see `model_status`.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        self.require(model)
        state, now = self.models[model], self._control_plane.snapshot
        reference, undecided_rollout = (
            self._control_plane.champion_reference(state.champion),
            now.undecided_rollouts.get(model),
        )
        # Runs outside the event loop: with hundreds of changed components it takes up to a second.
        return await asyncio.to_thread(
            model_status, state.snapshot(), now.specs[model], reference, self._power, undecided_rollout
        )

    async def wanted_labels(self, model: str, budget: int, uncertain: bool) -> WantedLabels:  # noqa: FBT001 - of a query
        """Return the predictions whose outcomes are wanted, see `wanted_labels`.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        self.require(model)
        state = self.models[model]
        reference = self._control_plane.champion_reference(state.champion)
        return await asyncio.to_thread(wanted_labels, state.snapshot(), reference, budget, uncertain=uncertain)

    def require(self, model: str) -> None:
        """Raise an error unless a model is monitored.

        Raises:
            UnknownModelError: no spec of it has been applied.

        """
        if not self.knows(model):
            raise UnknownModelError(model, sorted(self._control_plane.snapshot.specs))

    def knows(self, model: str) -> bool:
        """Return whether a model of this pipeline is monitored."""
        return model in self._control_plane.snapshot.specs and model in self.models

    def close(self) -> None:
        """Remove the metrics of the models: another replica exports them from now on."""
        for model in self.models:
            metrics.forget(model)

    async def summaries(self) -> tuple[ModelSummary, ...]:
        """Return a summary of each model of this pipeline that has a spec, by name."""
        now, reference = self._control_plane.snapshot, self._control_plane.champion_reference
        known = [
            (state.snapshot(), now.specs[model], reference(state.champion), now.undecided_rollouts.get(model))
            for model, state in sorted(self.models.items())
            if model in now.specs
        ]
        return await asyncio.to_thread(lambda: over_models([summary(*each) for each in known]))

    def _apply_control_plane(self) -> list[Announcement]:
        announcements = []
        for model, revision in self._control_plane.snapshot.removals.items():
            state = self._state(model)
            # The model starts over also if a spec has been applied again meanwhile.
            if state.removed < revision:
                announcements += state.remove(revision)
                self._checkpointer.changed.add(model)
        for model, champion in self._control_plane.snapshot.champions.items():
            state = self._state(model)
            if state.champion is None or state.champion.revision < champion.revision:
                announcements += state.promote(champion)
                self._checkpointer.changed.add(model)
        specs = self._control_plane.snapshot.specs
        for model, spec in specs.items():
            if resolved := self._state(model).apply_spec(spec):
                announcements += resolved
                self._checkpointer.changed.add(model)
        return announcements

    def _look_at_quality(self, model: str, state: ModelState, now: float) -> list[Announcement]:
        looked_at = state.quality.skew.number
        skew = self._control_plane.snapshot.skews.get(model, NOTHING_MEASURED)
        found = state.look_at_quality(skew, outcomes_idle=self._outcomes_idle(model, now))
        if found or state.quality.skew.number > looked_at:
            self._checkpointer.changed.add(model)
        return found

    def _watch_streams(self, now: float) -> None:
        """Count the time since the last look as silence. Rows that have arrived meanwhile end the silence."""
        if self._watched_until is None:
            return
        elapsed, self._watched_until = round((now - self._watched_until) * 1_000_000), now
        for model, state in self.models.items():
            if state.quality.streams.watch(elapsed):
                self._checkpointer.changed.add(model)

    def _read(self, message: Message, now: float) -> None:
        topic, partition, offset = place(message)
        try:
            model = self._take(topic, message, now)
            self._checkpointer.changed.add(model)
        except UnreadableLogError as error:
            log.error("%s", error, extra={"partition": partition, "offset": offset})  # noqa: TRY400
            metrics.BAD_MESSAGES.labels(topic).inc()
        self._checkpointer.positions[topic, partition] = offset + 1

    def _take(self, topic: str, message: Message, now: float) -> str:
        """Decode a message and add it to the state of its model. Returns the model."""
        value = message.value() or b""
        if topic == PREDICTIONS_LOG:
            predictions = log_messages.read_predictions(value)
            state = self._state_at(topic, predictions.model)
            state.add_cost(predictions, message.timestamp()[1] * 1_000)
            champion = state.champion.version if state.champion else 0
            self._compared += state.candidates.compared.take(predictions, champion, state.costs.versions)
            # A version that fails on every row logs its cost without rows.
            if predictions.rows.num_rows:
                self._buffer(state, value, predictions, now)
            return predictions.model
        outcomes = log_messages.read_outcomes(message.key(), value)
        self._add_outcomes(outcomes, message.timestamp()[1] * 1_000, now)
        return outcomes.model

    def _buffer(self, state: ModelState, value: bytes, predictions: Predictions, now: float) -> None:
        # Only the primary determines windows and event time, not a shadow or a canary.
        if predictions.role == RouteRole.PRIMARY:
            self._idleness.expect(predictions.model, "newer outcomes", now)
            self._idleness.touch(predictions.model, "predictions", now)
        if predictions.role in (RouteRole.PRIMARY, *CANDIDATE_ROLES):
            state.buffer_predictions(value, predictions, now)

    def _add_outcomes(self, outcomes: Outcomes, written: int, now: float) -> None:
        state = self._state_at(OUTCOMES_LOG, outcomes.model)
        before = state.outcome_watermark.newest
        state.add_outcomes(outcomes.rows, written)
        self._idleness.touch(outcomes.model, "outcomes", now)
        if state.outcome_watermark.newest > before:
            self._idleness.touch(outcomes.model, "newer outcomes", now)
        metrics.ROWS.labels(OUTCOMES_LOG).inc(outcomes.rows.num_rows)

    async def _count_buffered(self, now: float) -> None:
        """Count the buffered rows whose profiles and specs are known."""
        required = set().union(*(state.required_profiles() for state in self.models.values()))
        await self._control_plane.load_references(required)
        timed_out = now - self._timings.profile_timeout
        for model, state in self.models.items():
            if rows := state.count_buffered(self._control_plane.references, timed_out):
                self._checkpointer.changed.add(model)
                metrics.ROWS.labels(PREDICTIONS_LOG).inc(rows)

    def _advance_idle_watermarks(self, now: float) -> None:
        """Advance the watermark of idle streams to their newest event time, unless rows of the primary are buffered."""
        seconds = self._timings.max_out_of_orderness
        for model, state in self.models.items():
            if not state.buffer.primary_waits and self._idleness.idle(model, "predictions", seconds, now):
                state.watermark = state.watermark.caught_up()
            if self._idleness.idle(model, "outcomes", seconds, now):
                state.outcome_watermark = state.outcome_watermark.caught_up()

    def _due(self, now: float) -> list[ModelState]:
        """Return the models whose spec and reference are known, and that have windows to close."""
        return [
            state
            for model, state in self.models.items()
            if model in self._control_plane.snapshot.specs
            and any(
                state.history.digest(version) in self._control_plane.references
                for version, _ in state.due(outcomes_idle=self._outcomes_idle(model, now))
            )
        ]

    def _outcomes_idle(self, model: str, now: float) -> bool:
        return self._idleness.idle(model, "newer outcomes", self._timings.outcomes_idle_timeout, now)

    async def _close_windows(self, due: Sequence[ModelState], now: float) -> list[Announcement]:
        announcements: list[Announcement] = []
        for state in due:
            await asyncio.to_thread(state.settle)
            idle = self._outcomes_idle(state.model, now)
            if idle:
                self._report_unlabelled(state)
            by_users = await self._user_figures(state, outcomes_idle=idle)
            announcements += state.close_due_windows(
                self._control_plane.references, by_users, self._power, outcomes_idle=idle
            )
            self._checkpointer.changed.add(state.model)
        return announcements

    async def _user_figures(self, state: ModelState, *, outcomes_idle: bool) -> UserFiguresByWindow:
        """Return the figures of users' detectors for the windows that can close, by version and start."""
        detectors = state.spec.monitor.detectors if state.spec else ()
        if self._user_detectors is None or not any(map(is_user_class, detectors)):
            return {}
        found = {}
        for key in state.due(outcomes_idle=outcomes_idle):
            if reference := self._control_plane.references.get(state.history.digest(key[0])):
                # Runs outside the event loop: the time limit of a call is in seconds.
                counts = state.windows[key]
                found[key] = await asyncio.to_thread(self._user_detectors.figures, detectors, counts, reference)
        return found

    async def _take_figures(self, state: ModelState, reference: Reference) -> list[Announcement]:
        """Give the complete blocks of rows to the users' detectors that take part in the alarm."""
        blocks = state.complete_blocks()
        if not blocks or self._user_detectors is None:
            return []
        sampled = sampled_blocks(blocks, reference)
        # Runs outside the event loop, as for windows.
        found = await asyncio.to_thread(
            self._user_detectors.block_figures, state.evidence.detectors, sampled, reference
        )
        self._checkpointer.changed.add(state.model)
        return list(state.take_figures(reference, blocks, found))

    def _report_unlabelled(self, state: ModelState) -> None:
        unlabelled = len(state.due(outcomes_idle=True)) - len(state.due(outcomes_idle=False))
        if unlabelled:
            metrics.UNLABELLED.labels(state.model).inc(unlabelled)
            log.warning(
                "%s: no newer outcome arrived for %g s, so %d windows close with the outcomes received so far; check "
                "that outcomes are sent and that ingestion is up",
                state.model, self._timings.outcomes_idle_timeout, unlabelled,
            )  # fmt: skip

    async def _publish(self, announcements: Sequence[Announcement]) -> None:
        await self._checkpointer.save(self.models, announcements)
        for each in announcements:
            metrics.FINDINGS.labels(type(each.event).__name__).inc()
            if isinstance(each.event, WindowClosed):
                metrics.WINDOWS_CLOSED.labels(each.event.key).inc()
            elif isinstance(each.event, AlertRaised):
                log.info("%s: alert %s opened: %s", each.event.model, each.event.kind, each.event.title)
            elif isinstance(each.event, AlertResolved):
                log.info("%s: alert %s is resolved: %s", each.event.model, each.event.alert_id, each.event.detail)

    def _state(self, model: str) -> ModelState:
        if model not in self.models:
            self.models[model] = ModelState(model, self._timings.max_out_of_orderness_micros)
        return self.models[model]

    def _state_at(self, topic: str, model: str) -> ModelState:
        """Return the state of the model that a message is about.

        Raises:
            UnreadableLogError: the model has another partition number, so its state is in another pipeline.

        """
        if model not in self.models and not self._part.has(model):
            number = number_of(model, self._part.count)
            why = f"it is about {model}, whose partition is {number}: its producer must partition by murmur2 of the key"
            raise UnreadableLogError(topic, why)
        return self._state(model)
