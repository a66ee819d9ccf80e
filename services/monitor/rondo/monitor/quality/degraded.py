"""A finding about the data of a model, with its alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised, DataQualityDegraded
from rondo.contracts.vocabularies import AlertKind, Severity
from rondo.monitor.alerts.findings import Announcement

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.monitoring import Statistic, Window
    from rondo.contracts.vocabularies import QualityProblem
    from rondo.monitor.alerts.findings import Subject


def degraded(
    subject: Subject,
    problem: QualityProblem,
    statistics: tuple[Statistic, ...],
    window: Window,
    text: tuple[str, str],
    *,
    since: datetime | None = None,
    finding_id: str | None = None,
    alert_version: int | None = None,
) -> tuple[str, list[Announcement]]:
    """Return the id that the finding and its alert share, and the announcements.

    `text` is the title and the detail of the alert, which is raised at the end of the window. `since` defaults to the
    start of the window. `finding_id` defaults to a function of the problem and the end. `alert_version` is the version
    of an alert about one version.
    """
    finding = DataQualityDegraded(
        model=subject.model,
        finding_id=finding_id or subject.finding_id(problem, window.end),
        model_version=subject.version,
        problem=problem,
        window=window,
        since=since or window.start,
        statistics=statistics,
    )
    alert = AlertRaised(
        model=subject.model,
        model_version=alert_version,
        alert_id=finding.finding_id,
        kind=AlertKind(problem),
        severity=Severity.WARNING,
        title=text[0],
        detail=text[1],
        raised_at=window.end,
    )
    announced = [Announcement(finding, finding.finding_id), Announcement(alert, f"{finding.finding_id}-raised")]
    return finding.finding_id, announced
