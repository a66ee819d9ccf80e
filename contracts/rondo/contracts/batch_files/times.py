"""Parses event times of files: RFC 3339, ISO 8601 in the zone that the spec names, and numbers since 1970.

Ingestion applies the same rules to whole columns, with the patterns of this file.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
_SECONDS = r":[0-5]\d(?:\.\d{1,9})?"
_OFFSET = r"(?:[zZ]| ?[+-](?:[01]\d|2[0-3]):?[0-5]\d)"
# RFC 3339, where seconds are optional and a blank may stand for the T.
WITH_ZONE = rf"^{_DATE}[Tt ]{_CLOCK}(?:{_SECONDS})?{_OFFSET}$"
WITHOUT_ZONE = rf"^{_DATE}[Tt ]{_CLOCK}(?:{_SECONDS})?$"
DATE = rf"^{_DATE}$"


class Epoch(NamedTuple):
    """Numbers since 1970 in one unit, recognised by their digits.

    `low` and `high` are bounds, `unit` is in microseconds.
    """

    name: str
    pattern: str
    low: float
    high: float
    unit: float


# Seconds from 1973, and the other units from 2001, all to 2128, so that no two ranges overlap. 20130102, 41276 and
# 201301021504 are outside of all ranges.
EPOCHS = (
    Epoch("seconds", r"^\d{9,10}(?:\.\d{1,9})?$", 1e8, 5e9, 1e6),
    Epoch("milliseconds", r"^\d{13}(?:\.\d{1,9})?$", 1e12, 5e12, 1e3),
    Epoch("microseconds", r"^\d{16}$", 1e15, 5e15, 1.0),
    Epoch("nanoseconds", r"^\d{19}$", 1e18, 5e18, 1e-3),
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_WITH_ZONE, _WITHOUT_ZONE, _DAY = (re.compile(pattern, re.ASCII) for pattern in (WITH_ZONE, WITHOUT_ZONE, DATE))
_EPOCH = re.compile("|".join(epoch.pattern for epoch in EPOCHS), re.ASCII)
_FRACTION = re.compile(r"\.(\d+)")
_NO_PLACES = ("posix/", "right/", "Factory", "localtime", "posixrules")


@cache
def zone_named(name: str) -> ZoneInfo | None:
    """Return a zone of the IANA database, such as `UTC` or `Europe/Berlin`. None for other names."""
    if name.startswith(_NO_PLACES):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def zone_names() -> tuple[str, ...]:
    """Return the names that `zone_named` knows."""
    return tuple(sorted(name for name in available_timezones() if not name.startswith(_NO_PLACES)))


def zone_hint(name: str) -> str:
    """Return what to write instead of a name that is no time zone."""
    close = get_close_matches(name, zone_names(), n=1)
    return f"did you mean {close[0]}?" if close else "write UTC, or a place such as Europe/Berlin"


def parse_time(value: str | float | datetime, zone: str | None) -> datetime | None:
    """Return the time in UTC. `zone` is the time zone of values that name none.

    Return None if the value is not a time, if neither the value nor `zone` gives a zone, if the clocks of the zone skip
    or repeat the time, and if the time is outside the range of datetime in UTC.
    """
    if isinstance(value, datetime):
        try:
            return in_zone(value, zone)
        except OverflowError:  # as in the branch for texts below
            return None
    if not isinstance(value, str):
        return _since_1970(value)
    text = value.strip()
    if _EPOCH.match(text):
        return _since_1970(int(text) if text.isdigit() else float(text))
    return _parse_iso(text, zone)


def _parse_iso(text: str, zone: str | None) -> datetime | None:
    try:
        if _DAY.match(text):
            return in_zone(datetime.fromisoformat(text), zone)
        if _WITH_ZONE.match(text) or _WITHOUT_ZONE.match(text):
            return in_zone(datetime.fromisoformat(_as_iso(text)), zone)
    except (ValueError, OverflowError):  # February 30, or an offset that leaves the range of datetime
        return None
    return None


def in_zone(time: datetime, zone: str | None) -> datetime | None:
    """Return a time in UTC. `zone` applies to a time without one. None where its clocks skip or repeat the time."""
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    if zone == "UTC":  # the most frequent zone, which needs no search for rules
        return time.replace(tzinfo=UTC)
    place = zone_named(zone) if zone else None
    if place is None:
        return None
    first, second = (time.replace(tzinfo=place, fold=fold) for fold in (0, 1))
    return first.astimezone(UTC) if first.utcoffset() == second.utcoffset() else None


def _as_iso(text: str) -> str:
    text = f"{text[:10]}T{text[11:].replace(' ', '').replace('z', 'Z')}"
    return _FRACTION.sub(lambda found: f".{found[1][:6].ljust(6, '0')}", text)


def _since_1970(number: float) -> datetime | None:
    for epoch in EPOCHS:
        if epoch.low <= number <= epoch.high:
            if epoch.unit < 1:
                micros = int(number) // 1000
            elif isinstance(number, int):
                micros = number * int(epoch.unit)
            else:
                micros = math.floor(number * epoch.unit + 0.5)
            return _START + timedelta(microseconds=micros)
    return None


def written_date(value: date) -> str:
    """Return a date, or a date with a time, as the text of a category.

    A time with a zone is in UTC and ends with `Z`. A time without a zone stays as it is. A fraction of a second has six
    digits, and is left out if it is 0.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value.isoformat()
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
