"""The alert that a rollout waits for a person's decision. It ends once a person, or the evidence, decides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.vocabularies import AlertKind, RolloutState, Severity
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Announcement

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from rondo.contracts.events.deployment import RolloutChanged


def look(event: RolloutChanged, opened: Collection[str], *, removed: bool) -> list[Announcement]:
    """Return the alerts that begin or end with a change of a rollout. `opened` are the ids of the open ones.

    An undecided rollout opens no alert if the model is removed by now, or was removed after the change: topics have no
    order among each other.
    """
    asked = _raised(event) if event.state == RolloutState.ASKING else None
    if asked is not None and (removed or asked.alert_id in opened):
        return []
    ended = [findings.resolved(event.model, each, event.at, f"the rollout is {event.state}") for each in opened]
    return ended if asked is None else [*ended, Announcement(asked, f"{asked.alert_id}-raised")]


def ended(model: str, opened: Collection[str], at: datetime) -> list[Announcement]:
    """Return the ends of the open alerts about a model that is removed."""
    return [findings.resolved(model, each, at, "the model is removed") for each in opened]


def _raised(event: RolloutChanged) -> AlertRaised:
    asks = f"{event.model}/undecided_rollout/{event.candidate}/{event.at.isoformat()}"
    verdict = f"its verdict is {event.verdict}" if event.verdict else "it has no verdict"
    return AlertRaised(
        model=event.model,
        alert_id=hashlib.sha256(asks.encode()).hexdigest()[:32],
        kind=AlertKind.UNDECIDED_ROLLOUT,
        model_version=event.candidate,
        severity=Severity.WARNING,
        title=f"{event.model} version {event.candidate}: its rollout waits for a decision",
        detail=(
            f"The {event.strategy} beside version {event.champion} asks a person: {verdict} after {event.answers:,} "
            f"answers, and it answers {event.share:.0%} of the requests until somebody decides. `rondo rollout "
            f"{event.model}` has the evidence; `promote`, `abort` or `resume` after it decides."
        ),
        raised_at=event.at,
    )
