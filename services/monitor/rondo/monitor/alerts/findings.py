"""Builds finding events, and the alerts that open and resolve with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
    described,
)
from rondo.contracts.vocabularies import Severity

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.monitoring import Finding, Statistic, Window
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.evaluate import WindowResult

_NEXT = "The trainer decides by the spec's `retrain` whether to train now; `rondo watch` shows its decision."
_MAX_LISTED = 5
# An event has at most 1 MiB; a statistic takes up to 250 bytes of it.
_MAX_STATISTICS = 3_000


@dataclass(frozen=True)
class Announcement:
    """An event to publish. Its id is a function of what it reports, so a repetition is recognized."""

    event: Event
    event_id: str


@dataclass(frozen=True)
class Subject:
    """The version and window of a finding; `since` is the start of the first window of the series."""

    model: str
    version: int
    window: Window
    since: datetime

    def finding_id(self, kind: str) -> str:
        """Return the id of a finding, a function of model, version, kind and window alone."""
        text = f"{self.model}/{self.version}/{kind}/{self.window.start.isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def closed(subject: Subject, result: WindowResult) -> Announcement:
    """Build the event of a closed window, with every figure that a message has room for."""
    event = WindowClosed(
        model=subject.model,
        finding_id=subject.finding_id("window"),
        model_version=subject.version,
        window=subject.window,
        since=subject.since,
        **_bounded(result.statistics),
        labelled_rows=result.labelled_rows,
        no_verdict=result.no_verdict,
    )
    return Announcement(event, event.finding_id)


def found(kind: FindingKind, subject: Subject, result: WindowResult) -> tuple[Announcement, Announcement]:
    """Build a finding and its alert, which share one id."""
    finding = _finding(kind, subject, result)
    alert = AlertRaised(
        model=subject.model,
        alert_id=finding.finding_id,
        severity=Severity.CRITICAL if kind == "performance" else Severity.WARNING,
        title=f"{subject.model} version {subject.version}: {_TITLES[kind]}",
        detail=f"{_figures(kind, result)}; since {subject.since:%Y-%m-%d %H:%M} UTC. {_NEXT}",
        raised_at=subject.window.end,
    )
    return Announcement(finding, finding.finding_id), Announcement(alert, f"{alert.alert_id}-raised")


def resolved(model: str, alert_id: str, at: datetime, why: str) -> Announcement:
    """Build the end of an alert."""
    event = AlertResolved(model=model, alert_id=alert_id, detail=why, resolved_at=at)
    return Announcement(event, f"{alert_id}-resolved")


def _finding(kind: FindingKind, subject: Subject, result: WindowResult) -> Finding:
    content = {
        "model": subject.model,
        "finding_id": subject.finding_id(kind),
        "model_version": subject.version,
        "window": subject.window,
        "since": subject.since,
        **_bounded(result.found(kind)),
        "labelled_rows": result.labelled_rows,
    }
    return _EVENTS[kind].model_validate(content)


_EVENTS: dict[FindingKind, type[Finding]] = {
    "drift": DriftDetected,
    "performance": PerformanceDegraded,
    "quality": DataQualityDegraded,
}
_TITLES = {
    "drift": "its inputs differ from the training data",
    "performance": "it predicts worse than on its holdout",
    "quality": "its requests have missing or unseen values",
}


def _bounded(statistics: tuple[Statistic, ...]) -> dict[str, Any]:
    left_out = max(0, len(statistics) - _MAX_STATISTICS)
    return {"statistics": statistics[:_MAX_STATISTICS], "statistics_left_out": left_out}


def _figures(kind: FindingKind, result: WindowResult) -> str:
    found = result.found(kind)
    parts = [described(each) for each in found if each.threshold is not None] or [described(each) for each in found]
    more = [f"and {len(parts) - _MAX_LISTED} more"] if len(parts) > _MAX_LISTED else []
    if kind == "performance":
        more.append(f"on {result.labelled_rows:,} outcomes")
    return ", ".join(parts[:_MAX_LISTED] + more)
