"""Due times of cron expressions, and their triggers. `contracts.spec.cron` validates the expressions."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.cron import PREFIX, latest_due, problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def expressions(triggers: Iterable[str]) -> tuple[str, ...]:
    """Return the cron expressions among the triggers of a spec that have due times, without duplicates."""
    return tuple(each for each in _written(triggers) if _problem(each) is None)


def problems(triggers: Iterable[str]) -> dict[str, str]:
    """Return the error of each cron expression that this release can't read. Another release accepted it."""
    return {each: found for each in _written(triggers) if (found := _problem(each)) is not None}


def _written(triggers: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.removeprefix(PREFIX).strip() for t in triggers if t.startswith(PREFIX)))


@lru_cache(maxsize=1_000)
def _problem(expression: str) -> str | None:
    return problem(expression)


def due(expression: str, since: datetime, now: datetime) -> datetime | None:
    """Return the latest due time in `(since, now]`, or None.

    One training catches up with all missed due times, for example after a downtime of the service.
    """
    latest = latest_due(expression, now)
    return latest if since < latest <= now else None


def trigger(model: str, expression: str, at: datetime) -> Trigger:
    """Return the trigger of a due time. Its id is deterministic, so that every replica computes the same."""
    return Trigger(id=f"schedule/{model}/{expression}/{at.isoformat()}", kind="schedule", at=at, detail=expression)
