"""What is said: the event of each finding, and the alert by which people hear of it and of its end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
)
from rondo.monitor.detectors.performance import METRIC

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.monitoring import Finding, Window
    from rondo.monitor.alerts.hysteresis import Kind
    from rondo.monitor.detectors.evaluate import Verdict

_NEXT = "The trainer decides by the spec's `retrain` whether it trains now; `rondo watch` shows what it does."
_SHOWN = 5


@dataclass(frozen=True)
class Announcement:
    """An event and its id, which is the same however often the same thing is found."""

    event: Event
    event_id: str


@dataclass(frozen=True)
class Subject:
    """What a finding is about: the version, the window, and the start of the first window of the series."""

    model: str
    version: int
    window: Window
    since: datetime

    def finding_id(self, kind: str) -> str:
        """Return the id of a finding: a function of model, version, kind and window alone."""
        text = f"{self.model}/{self.version}/{kind}/{self.window.start.isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def closed(subject: Subject, verdict: Verdict) -> Announcement:
    """Say that a window is finished, with every figure."""
    figures = verdict.performance
    event = WindowClosed(
        model=subject.model,
        finding_id=subject.finding_id("window"),
        model_version=subject.version,
        window=subject.window,
        since=subject.since,
        features=verdict.features,
        labelled_rows=figures.labelled_rows if figures else 0,
        observed=figures.observed if figures else None,
        reference=figures.reference if figures else None,
    )
    return Announcement(event, event.finding_id)


def found(kind: Kind, subject: Subject, verdict: Verdict) -> tuple[Announcement, Announcement]:
    """Say that a kind of finding is established, and raise the alert about it. The alert's id is the finding's."""
    finding = _finding(kind, subject, verdict)
    alert = AlertRaised(
        model=subject.model,
        alert_id=finding.finding_id,
        severity="critical" if kind == "performance" else "warning",
        title=f"{subject.model} version {subject.version}: {_TITLES[kind]}",
        detail=f"{_figures(kind, verdict)}; since {subject.since:%Y-%m-%d %H:%M} UTC. {_NEXT}",
        raised_at=subject.window.end,
    )
    return Announcement(finding, finding.finding_id), Announcement(alert, f"{alert.alert_id}-raised")


def resolved(model: str, alert_id: str, at: datetime, why: str) -> Announcement:
    """Say that what an alert spoke of is over."""
    event = AlertResolved(model=model, alert_id=alert_id, detail=why, resolved_at=at)
    return Announcement(event, f"{alert_id}-resolved")


def _finding(kind: Kind, subject: Subject, verdict: Verdict) -> Finding:
    shared = {
        "model": subject.model,
        "finding_id": subject.finding_id(kind),
        "model_version": subject.version,
        "window": subject.window,
        "since": subject.since,
    }
    if kind == "drift":
        return DriftDetected.model_validate({**shared, "features": verdict.drifted})
    if kind == "quality":
        return DataQualityDegraded.model_validate({**shared, "problems": verdict.problems})
    figures = verdict.performance
    assert figures is not None  # noqa: S101 - for the type checker: only a verdict with figures is over
    return PerformanceDegraded.model_validate(
        {
            **shared,
            "metric": METRIC,
            "reference": figures.reference,
            "observed": figures.observed,
            "labelled_rows": figures.labelled_rows,
        }
    )


_TITLES = {
    "drift": "the inputs are no longer what it was trained on",
    "performance": "it predicts worse than on its holdout",
    "quality": "the requests lack values, or carry values, that its training data did not",
}


def _figures(kind: Kind, verdict: Verdict) -> str:
    if kind == "drift":
        parts = [f"{f.feature} PSI {f.psi:.2f} (bound {f.threshold:.2f})" for f in verdict.drifted]
    elif kind == "quality":
        parts = [f"{p.feature} {p.problem} {p.observed:.1%} (was {p.reference:.1%})" for p in verdict.problems]
    else:
        figures = verdict.performance
        parts = (
            [f"ROC AUC {figures.observed:.3f} on {figures.labelled_rows:,} outcomes (was {figures.reference:.3f})"]
            if figures
            else []
        )
    more = [f"and {len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    return ", ".join(parts[:_SHOWN] + more)
