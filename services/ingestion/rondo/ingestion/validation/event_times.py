"""Until when event times are believed; `rondo.contracts.times` says why, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.times import MOST_AHEAD

if TYPE_CHECKING:
    from datetime import datetime


def latest(now: datetime) -> datetime:
    """Return the latest event time that is believed when it is `now`."""
    return now + MOST_AHEAD
