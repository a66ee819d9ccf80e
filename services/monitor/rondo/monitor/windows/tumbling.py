"""Tumbling windows of event time, in integer microseconds since the epoch: `[start, start + length)`.

Windows do not overlap. A window accepts rows until the watermark has passed its end by the label delay. It consists of
steps, and its rows become evidence at the end of a step. Steps consist of buckets (see `evidence.window_lengths`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Window
from rondo.contracts.times import FIRST, LAST
from rondo.monitor.evidence.window_lengths import Lengths, bucket_length, step_length, window_length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.evidence.window_lengths import Density

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = ((time - _EPOCH) // _MICROSECOND for time in (FIRST, LAST))


@dataclass(frozen=True)
class TumblingWindows:
    """Assigns rows to windows, steps and buckets. `length` is the length of a window. All are in microseconds."""

    length: int
    label_delay: int
    step: int
    bucket: int

    @classmethod
    def of(cls, spec: ModelSpec, density: Density) -> TumblingWindows:
        """Return the windows of a spec.

        A length that the spec does not give follows from the density of the reference.
        """
        given = spec.monitor.window
        length = window_length(density) if given is None else given // _MICROSECOND
        step = step_length(density, length)
        return cls(length, spec.data.label_delay // _MICROSECOND, step, bucket_length(density, step))

    @property
    def lengths(self) -> Lengths:
        return Lengths(self.length, self.step, self.bucket)

    @property
    def buckets(self) -> int:
        """The number of buckets of a window."""
        return self.length // self.bucket

    def fits(self, spec: ModelSpec) -> bool:
        """Return whether these are windows of a spec, for any reference."""
        given = spec.monitor.window
        delay = spec.data.label_delay // _MICROSECOND
        return delay == self.label_delay and (given is None or given // _MICROSECOND == self.length)

    def bucket_starts(self, event_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the start of each row's bucket."""
        return event_times - event_times % self.bucket

    def late_for_step(self, event_times: NDArray[np.int64], passed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows arrived after the end of their step, by the watermark at the arrival of each."""
        return event_times - event_times % self.step + self.step <= passed

    def bucket_numbers(self, event_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of each row's bucket within its window, from 0."""
        return event_times % self.length // self.bucket

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


def window_of(start: int, end: int, rows: int) -> Window:
    """Return a window, given in microseconds, in the form of the events."""
    return Window(start=to_time(start), end=to_time(end), rows=rows)


def to_micros(time: datetime) -> int:
    """Return a time as microseconds since the epoch."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(micros: int) -> datetime:
    """Return microseconds since the epoch as a time in UTC, clamped to the times that an event may hold."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _FIRST), _LAST - 1))
