"""Adds up the cost of a version's inferences until the log has it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.events.inference_cost import InferenceCost

if TYPE_CHECKING:
    from collections.abc import Callable

# A record with a cost needs its own schema, whose encoding takes three times as long as a small record.
_SECONDS = 1.0
_MOST = 1_000


class CostMeter:
    """Adds up costs. Several threads may use it. `clock` is monotonic, in seconds.

    While no record is written, for example in an outage of Kafka, it only keeps the durations of the last inferences.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._taken_at: float | None = None
        self._added_at = 0.0
        self._costs: list[InferenceCost] = []

    def add(self, cost: InferenceCost) -> None:
        with self._lock:
            self._costs.append(cost)
            self._added_at = self._clock()
            if len(self._costs) >= 2 * _MOST:
                total = InferenceCost.total(self._costs)
                self._costs = [replace(total, micros=total.micros[-_MOST:])]

    def due(self) -> InferenceCost | None:
        """Return the costs that no record has yet.

        None if there are none, and within a second of the previous costs.
        """
        with self._lock:
            now = self._clock()
            waits = self._taken_at is not None and now - self._taken_at < _SECONDS and len(self._costs) < _MOST
            if waits or not self._costs:
                return None
            costs, self._costs, self._taken_at = self._costs, [], now
        return InferenceCost.total(costs)

    def due_when_idle(self) -> InferenceCost | None:
        """Return the costs that no record has yet, if a second passed since the newest one. None otherwise."""
        with self._lock:
            now = self._clock()
            if not self._costs or now - self._added_at < _SECONDS:
                return None
            costs, self._costs, self._taken_at = self._costs, [], now
        return InferenceCost.total(costs)
