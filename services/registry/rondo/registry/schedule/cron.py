"""Cron expressions of five fields, in UTC: which are valid, and when they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from croniter import CroniterError, croniter

from rondo.contracts.events.training import Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "cron: "
_FIELDS = 5
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


def expressions(triggers: Iterable[str]) -> tuple[str, ...]:
    """Return the cron expressions among the triggers of a spec, without duplicates."""
    return tuple(dict.fromkeys(t.removeprefix(_PREFIX).strip() for t in triggers if t.startswith(_PREFIX)))


def is_valid(expression: str) -> bool:
    """Return whether it has five fields and is ever due: the 30th of February is not."""
    if len(expression.split()) != _FIELDS:
        return False
    try:
        next_due(expression, _ANY_DAY)
    except CroniterError:
        return False
    return True


def due(expression: str, since: datetime, now: datetime) -> datetime | None:
    """Return the latest due time in `(since, now]`, or None.

    Due times that were missed, for instance while the service was down, are caught up with by one training.
    """
    # croniter looks strictly before its start: a start one second later includes a due time of exactly now.
    latest: datetime = croniter(expression, now + timedelta(seconds=1)).get_prev(type(now))
    return latest if since < latest <= now else None


def next_due(expression: str, after: datetime) -> datetime:
    """Return the first due time after `after`."""
    found: datetime = croniter(expression, after).get_next(type(after))
    return found


def trigger(model: str, expression: str, at: datetime) -> Trigger:
    """Return the trigger of a due time. It is deterministic, so that every replica computes the same id."""
    return Trigger(id=f"schedule/{model}/{expression}/{at.isoformat()}", kind="schedule", at=at, detail=expression)
