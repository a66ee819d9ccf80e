"""The type of times in all events, and the range of plausible event times.

A replay of old data is normal, so event times may go back to 1900. Many programs write the year 1 if a time is missing.
A time far ahead of the clock is an error in the data, and would advance watermarks beyond all other rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime
from pydantic_core import PydanticCustomError

# Plausible event times are between EARLIEST and the current time plus MOST_AHEAD.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(days=1)
# The longest time for which one silence may suppress messages about alerts.
LONGEST_SILENCE = timedelta(days=30)
# The range of times in events: plausible event times, and windows and delays around them, each at most a century long.
FIRST, LAST = datetime(1700, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)


def to_utc(time: datetime) -> datetime:
    """Return the same time in UTC.

    Raises:
        ValueError: the time has no offset, or is not between the years 1700 and 2300. Without that bound, arithmetic
            near the years 1 and 9999 raises OverflowError.

    """
    if time.tzinfo is None:
        raise ValueError(f"{time} has no offset: write it as RFC 3339, such as 2013-03-01T05:15:00Z")
    # `str` does not apply the offset, which could leave the range of datetime.
    if not FIRST <= time < LAST:
        raise ValueError(f"{time} is not between {FIRST.year} and {LAST.year}: check the year")
    return time.astimezone(UTC)


def is_plausible(event_time: datetime, now: datetime) -> bool:
    """Return whether an event time (with an offset) is plausible at the time `now`."""
    return EARLIEST <= event_time <= now + MOST_AHEAD


def _validated(time: datetime) -> datetime:
    try:
        return to_utc(time)
    except ValueError as error:
        raise PydanticCustomError("time_out_of_range", "{reason}", {"reason": str(error)}) from None


def _plausible(time: datetime) -> datetime:
    if not is_plausible(time, datetime.now(UTC)):
        message = "{time} is not between 1900 and a day from now: check the year"
        raise PydanticCustomError("implausible_event_time", message, {"time": time.isoformat()})
    return time


# A time with an offset, converted to UTC.
Utc = Annotated[AwareDatetime, AfterValidator(_validated)]
# An event time that a person or an application gives.
EventTime = Annotated[Utc, AfterValidator(_plausible)]
