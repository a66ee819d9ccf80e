"""The replay: sends messages in event time, and shows snapshots."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.flights.replay.schedule import EventClock, ticks
from rondo.flights.replay.sender import Sender
from rondo.flights.report.scores import answered, by_month
from rondo.flights.view.live import timeline
from rondo.flights.view.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

    from rondo.contracts.kafka_connection import KafkaConnection
    from rondo.flights.observers.outages import OutageObserver
    from rondo.flights.observers.readers import Readers
    from rondo.flights.plan import Plan, SystemControls
    from rondo.flights.report.scores import Outputs
    from rondo.flights.view.observer import RunObserver

_STEP = timedelta(hours=6)
_REFRESH_SECONDS = 0.25
_SHOWN_EVENTS = 200
_LONGEST_TRAINING_SECONDS = 120.0


class Replay:
    """The replay. `baseline` are the outputs of the first model, which is never retrained, aligned with `flights`."""

    def __init__(
        self,
        kafka: KafkaConnection,
        flights: pl.DataFrame,
        plan: Plan,
        readers: Readers,
        baseline: Outputs,
        outages: OutageObserver,
    ) -> None:
        self._flights = flights
        self._plan = plan
        self._readers = readers
        self._outages = outages
        self._without = by_month(plan.example, flights, baseline)
        self._with: dict[int, float] = {}
        self._rates: deque[tuple[float, int]] = deque(maxlen=8)
        self._trainings: dict[str, float] = {}
        self._slow = False
        self._started = time.monotonic()
        # The sender comes last, because the event clock starts here.
        self._clock = EventClock(plan.stream_from, plan.per_second)
        self._sender = Sender(kafka, ticks(flights, plan.example, plan.stream_from, plan.until, _STEP), self._clock)

    async def run(self, observer: RunObserver, controls: SystemControls) -> float:
        """Send all messages in event time. Return the duration in seconds.

        Raises:
            NotDeliveredError: Kafka did not acknowledge a message.
            UnreadableError: a reader has ended.

        """
        sending = asyncio.create_task(asyncio.to_thread(self._sender.run))
        try:
            while not sending.done():
                self._set_speed()
                snapshot = self._snapshot()
                observer.show(snapshot)
                controls.on_progress(snapshot.progress)
                self._readers.check()
                await asyncio.wait([sending], timeout=_REFRESH_SECONDS)
        finally:
            self._sender.stop()
        await sending
        observer.show(self._snapshot())
        return time.monotonic() - self._started

    def _set_speed(self) -> None:
        now = time.monotonic()
        running = self._readers.listener.history.running()
        self._trainings = {run: self._trainings.get(run, now) for run in running}
        # A run that does not end must not delay the replay.
        training = any(now - since < _LONGEST_TRAINING_SECONDS for since in self._trainings.values())
        speed = self._plan.training_speed if training else 1.0
        self._slow = speed < 1
        self._clock.set_speed(speed)

    def _snapshot(self) -> Snapshot:
        sent, ledger, history = self._sender.progress, self._readers.auditor.ledger, self._readers.listener.history
        now, span = sent.event_time, self._plan.until - self._plan.stream_from
        self._rates.append((time.monotonic(), ledger.responses))
        self._score_finished_months()
        return Snapshot(
            event_time=now,
            progress=min(1.0, (now - self._plan.stream_from) / span) if now else 0.0,
            sent=sent.requests,
            answered=ledger.responses,
            behind=sent.behind,
            slow=self._slow,
            rate=self._rate(),
            lag=self._readers.backlog.requests,
            events=timeline(history.envelopes[-_SHOWN_EVENTS:], self._outages.incidents),
            deployed=history.deployed(),
            served=dict(ledger.by_version),
            window=history.last_window(),
            changed=history.changed(),
            metric=self._plan.example.metric,
            with_loop=self._with,
            without_loop=self._without,
        )

    def _score_finished_months(self) -> None:
        now = self._sender.progress.event_time
        if now is not None and now.month - 1 not in self._with and now.month > self._plan.stream_from.month:
            # Only finished months, because the metric of the first flights of a month has a large error.
            outputs = answered(self._flights, self._readers.auditor.ledger.answers)
            found = by_month(self._plan.example, self._flights, outputs)
            self._with = {month: value for month, value in found.items() if month < now.month}

    def _rate(self) -> float:
        (before, few), (after, many) = self._rates[0], self._rates[-1]
        return (many - few) / (after - before) if after > before else 0.0
