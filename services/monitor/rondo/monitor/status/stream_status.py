"""What is known about the streams of a model: when the newest row came, how long pauses usually are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.quality.limits import lag_limit, longest_gap, silence_limit
from rondo.monitor.quality.streams import SILENCE
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.monitor.quality.rhythm import Rhythm
    from rondo.monitor.quality.streams import StreamQuality


class StreamStatus(Value):
    """`newest` is when the newest row was written, and `silent_seconds` the time watched since.

    `longest_gap_seconds` is the longest usual gap of the last four weeks, and beyond `limit_seconds` an alert opens;
    both are None before a week of rows. `lag_seconds` is how far the newest event time is behind, with its limit.
    """

    newest: Utc
    silent_seconds: float
    longest_gap_seconds: float | None
    limit_seconds: float | None
    lag_seconds: float
    lag_limit_seconds: float | None
    stopped: bool


def stream_statuses(streams: StreamQuality) -> dict[str, StreamStatus]:
    """Return the status of each stream that has had rows."""
    return {
        name: _status(rhythm, stopped=SILENCE[name] in streams.open)
        for name, rhythm in streams.rhythms.items()
        if rhythm.last != NEVER
    }


def _status(rhythm: Rhythm, *, stopped: bool) -> StreamStatus:
    return StreamStatus(
        newest=to_time(rhythm.last),
        silent_seconds=rhythm.silent / 1e6,
        longest_gap_seconds=_seconds(longest_gap(rhythm)),
        limit_seconds=_seconds(silence_limit(rhythm)),
        lag_seconds=rhythm.lag / 1e6,
        lag_limit_seconds=_seconds(lag_limit(rhythm)),
        stopped=stopped,
    )


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6
