"""Tumbling windows of event time, in integer microseconds since the epoch: `[start, start + length)`.

Windows do not overlap and each is evaluated once, when it closes: so looking at an open window ("peeking") adds
nothing to the false-alarm rate. A window accepts rows until the watermark has passed its end by the label delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Window
from rondo.contracts.times import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = ((time - _EPOCH) // _MICROSECOND for time in (FIRST, LAST))


@dataclass(frozen=True)
class TumblingWindows:
    """Assigns rows to windows; the window's `length` and the `label_delay` are in microseconds."""

    length: int
    label_delay: int

    @classmethod
    def of(cls, spec: ModelSpec) -> TumblingWindows:
        return cls(spec.monitor.window // _MICROSECOND, spec.data.label_delay // _MICROSECOND)

    def starts(self, event_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the start of each row's window. Windows are aligned to the epoch."""
        return event_times - event_times % self.length

    def close_time(self, start: int) -> int:
        """Return the time at which a window accepts no more rows: its end and the label delay."""
        return start + self.length + self.label_delay

    def close_times(self, event_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the close time of each row's window."""
        return self.starts(event_times) + self.length + self.label_delay

    def late(self, event_times: NDArray[np.int64], passed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows arrived after their window's close time, by the watermark at the arrival of each."""
        return self.close_times(event_times) <= passed

    def due(self, starts: Iterable[int], passed: int) -> list[int]:
        """Return the starts of the windows whose close time the watermark has passed, in order."""
        return sorted(start for start in starts if self.close_time(start) <= passed)

    def window(self, start: int, rows: int) -> Window:
        """Return a window as the events carry it."""
        return Window(start=to_time(start), end=to_time(start + self.length), rows=rows)


def to_time(micros: int) -> datetime:
    """Return microseconds since the epoch as a time in UTC, clamped to the times that an event may hold."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _FIRST), _LAST - 1))
