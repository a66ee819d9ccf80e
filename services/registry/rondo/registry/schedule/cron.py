"""Due times of cron expressions, and their triggers. `contracts.spec.cron` validates the expressions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from croniter import croniter

from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.cron import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable


def expressions(triggers: Iterable[str]) -> tuple[str, ...]:
    """Return the cron expressions among the triggers of a spec, without duplicates."""
    return tuple(dict.fromkeys(t.removeprefix(PREFIX).strip() for t in triggers if t.startswith(PREFIX)))


def due(expression: str, since: datetime, now: datetime) -> datetime | None:
    """Return the latest due time in `(since, now]`, or None.

    One training catches up with all missed due times, for example after a downtime of the service.
    """
    # croniter returns a time strictly before its start. A start one second later includes a due time of exactly now.
    latest: datetime = croniter(expression, now + timedelta(seconds=1)).get_prev(type(now))
    return latest if since < latest <= now else None


def trigger(model: str, expression: str, at: datetime) -> Trigger:
    """Return the trigger of a due time. Its id is deterministic, so that every replica computes the same."""
    return Trigger(id=f"schedule/{model}/{expression}/{at.isoformat()}", kind="schedule", at=at, detail=expression)
