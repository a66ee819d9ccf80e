"""Checks of event times in requests: from 1900 to one day from now, with an offset."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from rondo.contracts.times import EARLIEST, MOST_AHEAD
from rondo.serving.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPECTED = "send a time from 1900 to a day from now, as RFC 3339 with an offset, such as 2013-03-01T12:00:00Z"
Time = Annotated[datetime, msgspec.Meta(tz=True)]


def out_of_range(times: Sequence[datetime | None], now: datetime) -> list[int]:
    """Return the rows whose event time is before 1900 or more than a day after `now`."""
    latest = now + MOST_AHEAD
    return [row for row, time in enumerate(times) if time is not None and not EARLIEST <= time <= latest]


def invalid_event_time(time: datetime | str | None, where: str = "") -> RequestRefusedError:
    """Return the error for a time out of range. `where` names the row, such as ` at row 3`."""
    # Neither isoformat nor str applies the offset, which overflows in the years 1 and 9999.
    return RequestRefusedError("bad_event_time", f"`event_time`{where} is {time}: {EXPECTED}")


def is_time(value: object) -> bool:
    """Return whether an `event_time` in a request is null or an RFC 3339 time with an offset."""
    try:
        msgspec.convert(value, Time | None)
    except msgspec.ValidationError:
        return False
    return True
