"""The streamed part: sends in event time, and shows how it goes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.flights.dataset.messages import Pace, ticks
from rondo.flights.replay.sender import Sender
from rondo.flights.report.scores import answered, by_month
from rondo.flights.view.live import Snapshot, timeline

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.flights.observers.outages import Outages
    from rondo.flights.observers.readers import Readers
    from rondo.flights.plan import Hands, Plan, Watcher

_STEP = timedelta(hours=6)
_REFRESH_SECONDS = 0.25
_SHOWN_EVENTS = 200


class Replay:
    """Sends, and has a snapshot at any moment. `alone` are the scores of the model that is never retrained."""

    def __init__(
        self,
        bootstrap: str,
        flights: pl.DataFrame,
        plan: Plan,
        readers: Readers,
        alone: NDArray[np.float32],
        outages: Outages,
    ) -> None:
        self._flights = flights
        self._plan = plan
        self._readers = readers
        self._outages = outages
        self._without = by_month(flights, alone)
        self._with: dict[int, float] = {}
        self._rates: deque[tuple[float, int]] = deque(maxlen=8)
        # The event clock starts here, with everything else done.
        self._pace = Pace(plan.stream_from, time.monotonic(), plan.per_second)
        self._sender = Sender(bootstrap, ticks(flights, plan.stream_from, plan.until, _STEP), self._pace)

    async def play(self, watcher: Watcher, hands: Hands) -> float:
        """Send everything in event time; returns the seconds that it took.

        Raises:
            NotDeliveredError: Kafka did not take a message.
            UnreadableError: one of the readers has ended.

        """
        sending = asyncio.create_task(asyncio.to_thread(self._sender.run))
        try:
            while not sending.done():
                snapshot = self._snapshot()
                watcher.show(snapshot)
                hands.at(snapshot.progress)
                self._readers.check()
                await asyncio.wait([sending], timeout=_REFRESH_SECONDS)
        finally:
            self._sender.stop()
        await sending
        watcher.show(self._snapshot())
        return time.monotonic() - self._pace.started

    def _snapshot(self) -> Snapshot:
        sent, ledger, history = self._sender.progress, self._readers.auditor.ledger, self._readers.listener.history
        now, span = sent.event_time, self._plan.until - self._plan.stream_from
        self._rates.append((time.monotonic(), ledger.responses))
        self._score_what_is_over()
        return Snapshot(
            event_time=now,
            progress=min(1.0, (now - self._plan.stream_from) / span) if now else 0.0,
            sent=sent.requests,
            answered=ledger.responses,
            behind=sent.behind,
            rate=self._rate(),
            lag=self._readers.backlog.requests,
            events=timeline(history.envelopes[-_SHOWN_EVENTS:], self._outages.incidents),
            deployed=history.deployed(),
            served=dict(ledger.by_version),
            window=history.last_window(),
            auc_with_loop=self._with,
            auc_without_loop=self._without,
        )

    def _score_what_is_over(self) -> None:
        now = self._sender.progress.event_time
        if now is not None and now.month - 1 not in self._with and now.month > self._plan.stream_from.month:
            # Only what is over: a month's first flights alone would make a figure that nothing bears out later.
            scores = by_month(self._flights, answered(self._flights, self._readers.auditor.ledger.answers))
            self._with = {month: auc for month, auc in scores.items() if month < now.month}

    def _rate(self) -> float:
        (before, few), (after, many) = self._rates[0], self._rates[-1]
        return (many - few) / (after - before) if after > before else 0.0
