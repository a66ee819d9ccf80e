"""The schedule of a replay: the messages that are due at each step of event time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from rondo.flights.dataset.flights import EVENT_TIME, KNOWN_AT
from rondo.flights.dataset.messages import outcomes, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from rondo.flights.examples import Example


@dataclass(frozen=True, slots=True)
class Tick:
    """The messages due in one step: (key, value) of each request and outcome, in order of event time."""

    until: datetime
    requests: list[tuple[bytes, bytes]]
    outcomes: list[tuple[bytes, bytes]]


class EventClock:
    """Shows `start` first, and then advances by `per_second` times its speed each second.

    Speed and time may be set from different threads. `now` returns monotonic seconds.
    """

    def __init__(self, start: datetime, per_second: timedelta, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._now = now
        # The state at the last change of the speed. It is one reference, so that a reader never sees half of a change.
        self._anchor = (start, now(), 1.0)
        self._setting = Lock()

    def set_speed(self, speed: float) -> None:
        """Advance by `speed` times `per_second` from now on. `speed` must be above 0."""
        with self._setting:
            shown, at, before = self._anchor
            if speed != before:
                now = self._now()
                self._anchor = (shown + (now - at) * before * self._per_second, now, speed)

    def set_time(self, event_time: datetime) -> None:
        """Show `event_time` now, and advance from there at the same speed."""
        with self._setting:
            self._anchor = (event_time, self._now(), self._anchor[2])

    def seconds_until(self, event_time: datetime) -> float:
        """Return the seconds until the clock shows `event_time` at the current speed. Negative after that time."""
        shown, at, speed = self._anchor
        return (event_time - shown) / self._per_second / speed - (self._now() - at)


def ticks(flights: pl.DataFrame, example: Example, start: datetime, end: datetime, step: timedelta) -> Iterator[Tick]:
    """Yield the messages step by step: requests at the scheduled departure, outcomes when they are known.

    Outcomes of the last flights are due after `end`. Ticks continue until all of them are included.
    """
    departures = flights.sort(EVENT_TIME)
    labelled = flights.filter(pl.col(example.label).is_not_null()).sort(KNOWN_AT)
    departed, known, now = departures[EVENT_TIME], labelled[KNOWN_AT], start
    first, done = 0, 0
    while now < end or done < len(labelled):
        now += step
        upto = departed.search_sorted(now)
        due = known.search_sorted(now)
        yield Tick(now, requests(departures[first:upto], example), outcomes(labelled[done:due], example))
        first, done = upto, due
