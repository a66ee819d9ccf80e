"""Which event times are believed: the past, however long ago, and as much of the future as clocks differ by.

A replay of old data is normal. A time far ahead is a mistake in the data, and it would move the point up to which
everything else counts as known.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_AHEAD = timedelta(days=1)


def latest(now: datetime) -> datetime:
    """Return the latest event time that is believed when it is `now`."""
    return now + _AHEAD
