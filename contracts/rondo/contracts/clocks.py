"""Which times are believed, by everybody alike: since 1900, and as much of the future as clocks differ by.

A replay of old data is normal. A time far ahead is a mistake in the data, and it would move the point up to which
everything else counts as known; the year 1 is what many writers put where they have no time at all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(days=1)
