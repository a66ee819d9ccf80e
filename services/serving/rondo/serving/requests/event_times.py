"""Which event times of requests are believed, and what is said of the others."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from rondo.contracts.times import EARLIEST, MOST_AHEAD
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

WANTED = "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"
Time = Annotated[datetime, msgspec.Meta(tz=True)]


def untimely(times: Sequence[datetime | None], now: datetime) -> list[int]:
    """Return the places of the times that are not believed when it is `now`."""
    latest = now + MOST_AHEAD
    return [place for place, time in enumerate(times) if time is not None and not EARLIEST <= time <= latest]


def unbelieved(time: datetime | None, where: str = "") -> RequestRefusedError:
    """Say that a time is not believed; `where` tells it apart from others."""
    # Neither isoformat nor str computes with the offset, which overflows in the years 1 and 9999.
    return RequestRefusedError("bad_event_time", f"`event_time`{where} is {time}: {WANTED}")


def fault(value: object) -> str | None:
    """Return what is wrong with an `event_time` as it was sent, or None where it can be read."""
    try:
        msgspec.convert(value, Time | None)
    except msgspec.ValidationError as error:
        return str(error)
    return None
