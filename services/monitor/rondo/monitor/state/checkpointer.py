"""Saves checkpoints: the models that changed, the Kafka positions, and the events to publish, in one transaction.

A checkpoint is due `checkpoint_interval` after the last one, later if saving is slow, and immediately if there is
something to publish. The events are outbox rows of the same transaction: a crash loses no row, counts none twice and
publishes nothing twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.monitor import metrics
from rondo.monitor.ports import Checkpoint, Position
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.model_state import ModelState
    from rondo.monitor.ports import ModelCheckpoint, Store
    from rondo.monitor.settings import MonitorTimings
    from rondo.monitor.state.codec import Stored


class Checkpointer:
    """Saves to a store. `positions` are the next offsets to read. `changed` are the models to save next."""

    def __init__(self, store: Store, clock: Callable[[], float], timings: MonitorTimings) -> None:
        self._store, self._clock, self._timings = store, clock, timings
        self._generation = 0
        self._not_before = clock()
        self._stored: dict[str, Stored] = {}
        self.positions = dict[Position, int]()
        self.changed = set[str]()

    async def load(self) -> dict[str, ModelState]:
        """Load the latest checkpoint. Returns the models."""
        checkpoint, now = await self._store.load(), self._clock()
        self._generation, self.positions, self.changed = checkpoint.generation, dict(checkpoint.positions), set()
        self._not_before = now + self._timings.checkpoint_interval
        # Runs outside the event loop: a million unmatched rows take up to a second.
        return await asyncio.to_thread(self._decode, checkpoint.models, now)

    @property
    def due(self) -> bool:
        """True if a checkpoint is due although there is nothing to publish."""
        return bool(self.changed) and self._clock() >= self._not_before

    async def save(self, models: Mapping[str, ModelState], announcements: Sequence[Announcement]) -> None:
        """Save the changed models and publish, atomically.

        Raises:
            FencedError: another replica has saved since the last load. Load again.

        """
        began = self._clock()
        # Runs outside the event loop, as in `load`.
        encoded = await asyncio.to_thread(self._encode, [models[model] for model in sorted(self.changed)])
        checkpoints = {model: checkpoint for model, (checkpoint, _) in encoded.items()}
        await self._store.save(Checkpoint(self._generation, dict(self.positions), checkpoints), announcements)
        self._stored |= {model: stored for model, (_, stored) in encoded.items()}
        took = self._clock() - began
        self._generation, self.changed = self._generation + 1, set()
        self._not_before = self._clock() + self._timings.until_checkpoint(took)
        metrics.CHECKPOINT_SECONDS.observe(took)
        for model in encoded:
            _export_metrics(models[model])

    def _decode(self, checkpoints: Mapping[str, ModelCheckpoint], now: float) -> dict[str, ModelState]:
        max_out_of_orderness = self._timings.max_out_of_orderness_micros
        decoded = {model: decode_state(model, each, max_out_of_orderness, now) for model, each in checkpoints.items()}
        self._stored = {model: stored for model, (_, stored) in decoded.items()}
        return {model: state for model, (state, _) in decoded.items()}

    def _encode(self, changed: Sequence[ModelState]) -> dict[str, tuple[ModelCheckpoint, Stored]]:
        for state in changed:
            state.settle()
        return {
            state.model: encode_state(state, self._stored.get(state.model) or nothing_stored()) for state in changed
        }


def _export_metrics(state: ModelState) -> None:
    metrics.BUFFERED_BYTES.labels(state.model).set(state.buffer.size)
    metrics.DROPPED_SHARE.labels(state.model).set(state.dropped.coverage.last)
    metrics.CLOCK_SET_BACK.labels(state.model, PREDICTIONS_LOG).set(state.watermark.set_back)
    metrics.CLOCK_SET_BACK.labels(state.model, OUTCOMES_LOG).set(state.outcome_watermark.set_back)
    for reason, count in state.dropped.counts.items():
        metrics.DROPPED_ROWS.labels(state.model, reason).set(count)
