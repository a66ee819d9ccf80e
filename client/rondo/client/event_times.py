"""Event times on their way to Rondo: one without an offset is refused, for nobody else could tell when it was."""

from __future__ import annotations

from datetime import UTC, datetime

from rondo.client.errors import RefusedError

# Serving's own words: a request over Kafka that was not made here gets the same answer.
WANTED = "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"


class BadEventTimeError(RefusedError):
    """A text is no time, or a time has no offset."""

    def __init__(self, said: object) -> None:
        super().__init__(f"`event_time` is {said}: {WANTED}", code="bad_event_time")


def read(text: str) -> datetime:
    """Return the time that a text says.

    Raises:
        BadEventTimeError: it says none, or has no offset.

    """
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise BadEventTimeError(text) from None
    if said.tzinfo is None:
        raise BadEventTimeError(text)
    return in_utc(said)


def in_utc(time: datetime) -> datetime:
    """Return the same time in UTC.

    Raises:
        BadEventTimeError: it has no offset, or is in UTC no time any more (in the years 1 and 9999).

    """
    if time.tzinfo is None:
        raise BadEventTimeError(time)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise BadEventTimeError(time) from None
