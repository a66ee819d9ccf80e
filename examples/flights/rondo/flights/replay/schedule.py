"""The schedule of a replay: the messages that are due at each step of event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.flights.dataset.flights import ARRIVED_AT, EVENT_TIME
from rondo.flights.dataset.messages import outcomes, requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Tick:
    """The messages due in one step: (key, value) of each request and outcome, in order of event time."""

    until: datetime
    requests: list[tuple[bytes, bytes]]
    outcomes: list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class EventClock:
    """Shows `start` at `started` (monotonic seconds), and advances by `per_second` each second."""

    start: datetime
    started: float
    per_second: timedelta

    def due_at(self, event_time: datetime) -> float:
        """Return the monotonic seconds at which the clock shows `event_time`."""
        return self.started + (event_time - self.start) / self.per_second


def ticks(flights: pl.DataFrame, start: datetime, end: datetime, step: timedelta) -> Iterator[Tick]:
    """Yield the messages step by step: requests at the scheduled departure, outcomes at the arrival.

    Outcomes of the last flights are due after `end`; the ticks continue until all of them are sent.
    """
    departures = flights.sort(EVENT_TIME)
    arrivals = flights.filter(pl.col(ARRIVED_AT).is_not_null()).sort(ARRIVED_AT)
    departed, arrived, now = departures[EVENT_TIME], arrivals[ARRIVED_AT], start
    first, done = 0, 0
    while now < end or done < len(arrivals):
        now += step
        upto = departed.search_sorted(now)
        landed = arrived.search_sorted(now)
        yield Tick(now, requests(departures[first:upto]), outcomes(arrivals[done:landed]))
        first, done = upto, landed
