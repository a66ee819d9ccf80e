"""Cron expressions: when they are due, and the triggers of due times. `contracts.spec.cron` validates them."""

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

    Due times that were missed, for instance while the service was down, are caught up with by one training.
    """
    # croniter looks strictly before its start: a start one second later includes a due time of exactly now.
    latest: datetime = croniter(expression, now + timedelta(seconds=1)).get_prev(type(now))
    return latest if since < latest <= now else None


def trigger(model: str, expression: str, at: datetime) -> Trigger:
    """Return the trigger of a due time. It is deterministic, so that every replica computes the same id."""
    return Trigger(id=f"schedule/{model}/{expression}/{at.isoformat()}", kind="schedule", at=at, detail=expression)
