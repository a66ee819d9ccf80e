"""The events of a run, and facts derived from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted
from rondo.contracts.events.monitoring import (
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    PerformanceSuspected,
    WindowClosed,
)
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.contracts.vocabularies import SkipReason, WindowRole

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope


@dataclass(frozen=True)
class Redeployment:
    """One automatic redeployment: an event of the monitor, and the version that was trained because of it."""

    model_version: int
    kind: str
    detail: str
    found_at: datetime
    trained_in: timedelta

    def total(self, first_prediction: datetime) -> float:
        """Return the seconds from the event to the first prediction of the new version."""
        return (first_prediction - self.found_at).total_seconds()

    def without_training(self, first_prediction: datetime) -> float:
        """Return the seconds of `total` without the duration of the training."""
        return self.total(first_prediction) - self.trained_in.total_seconds()


@dataclass
class History:
    """All envelopes, in order."""

    envelopes: list[Envelope[Any]] = field(default_factory=list)

    def of(self, *kinds: type[Event]) -> list[Envelope[Any]]:
        return [envelope for envelope in list(self.envelopes) if isinstance(envelope.data, kinds)]

    def redeployments(self) -> list[Redeployment]:
        """Return the redeployments, which are promotions caused by a finding or by the labels of a closed window."""
        found_of = reversed(self.of(DriftDetected, PerformanceDegraded, PerformanceSuspected))
        causes = {e.data.finding_id: e for e in found_of}
        causes |= {f"labels/{e.data.finding_id}": e for e in reversed(self.of(WindowClosed))}
        # Matched by trigger and not by digest, because a repeated training on the same rows gives the same artifact.
        trained = {e.data.trigger.id: e.data for e in self.of(ModelTrained)}
        found: dict[str, Redeployment] = {}
        for promoted in self.of(ModelPromoted):
            trigger = promoted.data.trigger
            if trigger is None or trigger.id not in causes or trigger.id not in trained:
                continue
            run = trained[trigger.id]
            found.setdefault(
                trigger.id,
                Redeployment(
                    model_version=promoted.data.model_version,
                    kind=trigger.kind,
                    detail=trigger.detail,
                    found_at=causes[trigger.id].time,
                    trained_in=run.finished_at - run.started_at,
                ),
            )
        return list(found.values())

    def running(self) -> set[str]:
        """Return the runs that have started and not yet ended."""
        ended = {e.data.run_id for e in self.of(ModelTrained, TrainingFailed)}
        return {e.data.run_id for e in self.of(TrainingStarted)} - ended - self.skipped().keys()

    def skipped(self) -> dict[str, TrainingSkipped]:
        """Return the ends of the runs that were skipped, by run.

        A trigger during a run is also skipped. That event names the active run, and does not end it.
        """
        skips = [e.data for e in self.of(TrainingSkipped) if e.data.reason != SkipReason.IN_FLIGHT]
        return {skip.run_id: skip for skip in skips if skip.run_id is not None}

    def deployed(self) -> DeploymentChanged | None:
        changes: list[DeploymentChanged] = [e.data for e in self.of(DeploymentChanged)]
        return max(changes, key=lambda change: change.revision, default=None)

    def last_window(self) -> WindowClosed | None:
        """Return the last closed window of a version that was the champion at that time."""
        closed = [each.data for each in self.of(WindowClosed) if each.data.role == WindowRole.CHAMPION]
        return closed[-1] if closed else None

    def changed(self) -> frozenset[str]:
        """Return the features and outputs that the newest findings about the champion name."""
        deployed, newest = self.deployed(), dict[type, DriftDetected | DataQualityDegraded]()
        versions = {route.model_version for route in deployed.routes} if deployed else set[int]()
        for envelope in self.of(DriftDetected, DataQualityDegraded):
            if envelope.data.model_version in versions:
                newest[type(envelope.data)] = envelope.data
        return frozenset(each.feature for finding in newest.values() for each in finding.statistics if each.feature)
