"""Cron expressions: five fields and, if wanted, a time zone. cronsim finds the due times.

If both the day and the weekday are given, a time is due on either, unless one of them begins with `*`: then on both.
A time that the clocks of the zone skip is due right after the gap. A time that they repeat is due once, unless every
hour is (Debian's cron).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from rondo.contracts.batch_files.times import zone_hint, zone_named

PREFIX = "cron: "
# The fields, each with its lowest and highest number. The weekdays 0 and 7 both mean Sunday.
_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def problem(expression: str) -> str | None:
    """Return the error of an expression such as `0 3 * * 1 Europe/Berlin`. None if it is valid and due at some time."""
    fields, zone = _divided(expression)
    if len(fields) != len(_FIELDS) or len(zone) > 1:
        count, names = len(fields) + len(zone), " ".join(_FIELDS)
        return f"it has {count} fields: write {len(_FIELDS)} ({names}), and a time zone if it is not UTC"
    for name in zone:
        if zone_named(name) is None:
            return f"{name} is not a time zone: {zone_hint(name)}"
    for place, (name, (low, high)) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(fields)
        alone[place] = fields[place]
        if not _is_ever_due(" ".join(alone)):
            return f"{fields[place]} is not {'an' if name == 'hour' else 'a'} {name}: write {low} to {high}"
    return None if _is_ever_due(expression) else "it is never due: no such day exists"


def next_due(expression: str, after: datetime) -> datetime:
    """Return the first due time after `after`, in UTC.

    Raises:
        CronSimError: the expression is invalid or never due.

    """
    found = _first(expression, after, reverse=False)
    # Forwards, cronsim (2.8) leaves out a time after a change of the clocks by half an hour, as on Lord Howe Island.
    while (earlier := latest_due(expression, found - timedelta(seconds=1))) > after:
        found = earlier
    return found


def latest_due(expression: str, now: datetime) -> datetime:
    """Return the last due time up to `now`, in UTC.

    Raises:
        CronSimError: the expression is invalid or never due.

    """
    # Backwards, cronsim begins strictly before its start.
    return _first(expression, now.replace(microsecond=0) + timedelta(seconds=1), reverse=True)


def _first(expression: str, start: datetime, *, reverse: bool) -> datetime:
    fields, zone = _divided(expression)
    local = start.astimezone(ZoneInfo(*zone) if zone else UTC)
    found = next(CronSim(" ".join(fields), local, reverse=reverse), None)
    if found is None:
        raise CronSimError(f"{expression} is never due")
    return found.astimezone(UTC)


def _divided(expression: str) -> tuple[list[str], list[str]]:
    """Return the five fields, and what follows them: nothing, or the time zone."""
    words = expression.split()
    return words[: len(_FIELDS)], words[len(_FIELDS) :]


def _is_ever_due(expression: str) -> bool:
    try:
        next_due(expression, _ANY_TIME)
    except CronSimError:
        return False
    return True
