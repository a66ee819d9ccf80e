"""What the services said, and what can be read off it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted
from rondo.contracts.events.monitoring import DriftDetected, PerformanceDegraded, WindowClosed
from rondo.contracts.events.training import ModelTrained

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope


@dataclass(frozen=True)
class Redeployment:
    """One turn of the loop: from a trigger to the version that it led to."""

    model_version: int
    kind: str
    detail: str
    found_at: datetime
    trained_in: timedelta

    def total(self, first_prediction: datetime) -> float:
        """Return the seconds from the monitor's event to the first prediction of the new version."""
        return (first_prediction - self.found_at).total_seconds()

    def without_training(self, first_prediction: datetime) -> float:
        """Return the same without the time that the training itself took."""
        return self.total(first_prediction) - self.trained_in.total_seconds()


@dataclass
class History:
    """Every envelope heard, and what can be read off them."""

    envelopes: list[Envelope[Any]] = field(default_factory=list)

    def of(self, *kinds: type[Event]) -> list[Envelope[Any]]:
        """Return the envelopes of these kinds, in order."""
        return [envelope for envelope in list(self.envelopes) if isinstance(envelope.data, kinds)]

    def redeployments(self) -> list[Redeployment]:
        """Return the promotions that a finding of the monitor led to, each finding once."""
        findings = {e.data.finding_id: e for e in reversed(self.of(DriftDetected, PerformanceDegraded))}
        # By trigger and not by digest: the same rows make the same bytes, however often they are trained on.
        trained = {e.data.trigger.id: e.data for e in self.of(ModelTrained)}
        turns: dict[str, Redeployment] = {}
        for promoted in self.of(ModelPromoted):
            trigger = promoted.data.trigger
            if trigger is None or trigger.id not in findings or trigger.id not in trained:
                continue
            run = trained[trigger.id]
            turns.setdefault(
                trigger.id,
                Redeployment(
                    model_version=promoted.data.model_version,
                    kind=trigger.kind,
                    detail=trigger.detail,
                    found_at=findings[trigger.id].time,
                    trained_in=run.finished_at - run.started_at,
                ),
            )
        return list(turns.values())

    def deployed(self) -> DeploymentChanged | None:
        """Return the newest deployment."""
        changes: list[DeploymentChanged] = [e.data for e in self.of(DeploymentChanged)]
        return max(changes, key=lambda change: change.revision, default=None)

    def last_window(self) -> WindowClosed | None:
        """Return the last window that the monitor closed."""
        closed = self.of(WindowClosed)
        return closed[-1].data if closed else None
