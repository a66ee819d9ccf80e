"""Cron expressions of five fields, in UTC. The registry's scheduler uses the same parser, croniter."""

from __future__ import annotations

from datetime import UTC, datetime

from croniter import CroniterError, croniter

PREFIX = "cron: "
# The fields, each with its lowest and highest number. The weekdays 0 and 7 both mean Sunday.
_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def problem(expression: str) -> str | None:
    """Return the error of an expression such as `0 3 * * 1`. None if the expression is valid and due at some time."""
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields: write {len(_FIELDS)} ({' '.join(_FIELDS)})"
    for place, (name, (low, high)) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(fields)
        alone[place] = fields[place]
        if not _is_ever_due(" ".join(alone)):
            return f"{fields[place]} is not {'an' if name == 'hour' else 'a'} {name}: write {low} to {high}"
    return None if _is_ever_due(expression) else "it is never due: no such day exists"


def next_due(expression: str, after: datetime) -> datetime:
    """Return the first due time after `after`.

    Raises:
        CroniterError: the expression is invalid or never due.

    """
    found: datetime = croniter(expression, after).get_next(datetime)
    return found


def _is_ever_due(expression: str) -> bool:
    try:
        next_due(expression, _ANY_TIME)
    except CroniterError:
        return False
    return True
