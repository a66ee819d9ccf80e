"""The status of a model's streams: the time of the newest row, the length of pauses, the number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.quality.limits import lag_limit, longest_gap, silence_limit
from rondo.monitor.quality.rhythm import HOUR
from rondo.monitor.quality.streams import SILENCE
from rondo.monitor.quality.volume import described
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.monitor.quality.rhythm import Rhythm
    from rondo.monitor.quality.streams import StreamQuality
    from rondo.monitor.quality.volume import Volume


class StreamStatus(Value):
    """The status of a stream.

    `newest` is when the newest row was written, and `silent_seconds` is the time watched since. `longest_gap_seconds`
    is the longest usual gap of the last four weeks. An alert opens after a silence of `limit_seconds`. Both are None
    before a week of rows. `lag_seconds` is the lag of the newest event time, with its limit.
    """

    newest: Utc
    silent_seconds: float
    longest_gap_seconds: float | None
    limit_seconds: float | None
    lag_seconds: float
    lag_limit_seconds: float | None
    stopped: bool


class VolumeStatus(Value):
    """The requests of the newest period that has passed. A period has a window's length in whole hours.

    `least` and `most` are the requests in the same hours of the week in the `weeks` before. `strange` is true if there
    are far fewer or far more. `sentence` has all of it in words.
    """

    start: Utc
    end: Utc
    rows: int
    least: int
    most: int
    weeks: int
    strange: bool
    sentence: str


def volume_status(volume: Volume) -> VolumeStatus | None:
    """Return the newest period. None before there are weeks to compare it with."""
    if (newest := volume.newest) is None:
        return None
    return VolumeStatus(
        start=to_time(newest.start * HOUR),
        end=to_time((newest.start + newest.hours) * HOUR),
        rows=newest.rows,
        least=newest.least,
        most=newest.most,
        weeks=newest.weeks,
        strange=newest.is_low or newest.is_high,
        sentence=described(newest),
    )


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
