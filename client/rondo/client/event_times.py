"""Parses event times, and converts them to UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from rondo.client.errors import RefusedError
from rondo.contracts.times import is_plausible, to_utc

# Serving's own text, so that the same mistake has the same error everywhere.
WANTED = "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"


class BadEventTimeError(RefusedError):
    """A text is not a time, or a time has no offset."""

    def __init__(self, given: object) -> None:
        super().__init__(f"`event_time` is {given}: {WANTED}", code="bad_event_time")
        self.given = given


def parse(text: str) -> datetime:
    """Return the time in UTC.

    Raises:
        BadEventTimeError: the text is not a time, has no offset, or is not between the years 1700 and 2300.

    """
    try:
        return to_utc(datetime.fromisoformat(text))
    except ValueError:
        raise BadEventTimeError(text) from None


def in_utc(time: datetime) -> datetime:
    """Return the same time in UTC.

    Raises:
        BadEventTimeError: the time has no offset, or is not between the years 1700 and 2300.

    """
    try:
        return to_utc(time)
    except ValueError:
        raise BadEventTimeError(time) from None


def known(time: datetime) -> datetime:
    """Return the time of something that has happened, in UTC.

    Raises:
        BadEventTimeError: the time has no offset, is before 1900, or is more than a day after the current time.

    """
    found = in_utc(time)
    if not is_plausible(found, datetime.now(UTC)):
        raise BadEventTimeError(time)
    return found
