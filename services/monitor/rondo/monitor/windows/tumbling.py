"""Tumbling windows of event time, as integers: microseconds since the epoch, `[start, start + length)`.

Windows do not overlap and each is judged once, when it is over: so a look in between ("peeking") decides nothing and
costs nothing of the false-alarm rate. A window takes rows until event time (see `watermark`) has passed its end by the
delay of the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True)
class Tumbling:
    """How a model's event time is cut: `length` of a window and `delay` of the labels, both in microseconds."""

    length: int
    delay: int

    @classmethod
    def of(cls, spec: ModelSpec) -> Tumbling:
        """Return the windows that a spec asks for."""
        return cls(spec.monitor.window // _MICROSECOND, spec.data.label_delay // _MICROSECOND)

    def starts(self, event_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the start of the window that each row falls into; windows are aligned to the epoch."""
        return event_times - event_times % self.length

    def due(self, start: int) -> int:
        """Return the time at which the window takes no more rows: its end and the delay of the labels."""
        return start + self.length + self.delay

    def late(self, event_times: NDArray[np.int64], passed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which rows come after their window was due, by the time that had `passed` when each of them came."""
        return (self.starts(event_times) + self.length + self.delay) <= passed

    def ripe(self, starts: Iterable[int], passed: int) -> list[int]:
        """Return the starts of the windows that are due when this time has passed, in order."""
        return sorted(start for start in starts if self.due(start) <= passed)

    def window(self, start: int, rows: int) -> Window:
        """Return the window as an event tells it."""
        return Window(start=to_time(start), end=to_time(start + self.length), rows=rows)


def to_time(micros: int) -> datetime:
    """Return microseconds since the epoch as a time in UTC; the calendar begins with the year 1."""
    return _EPOCH + timedelta(microseconds=max(micros, _FIRST))
