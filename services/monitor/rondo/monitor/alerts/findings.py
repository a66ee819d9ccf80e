"""Builds the events of findings and of closed windows, and the alerts that open and resolve with findings."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    Estimate,
    PerformanceDegraded,
    PerformanceSuspected,
    Statistic,
    Window,
    WindowClosed,
    described,
    described_harm,
)
from rondo.contracts.vocabularies import AlertKind, EstimateMethod, Harm, Severity, StatisticName, WindowRole
from rondo.monitor.estimates.estimator import ASSUMPTION
from rondo.monitor.estimates.expected_harm import ExpectedHarm
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.monitoring import Finding
    from rondo.monitor.alerts.finding_kinds import FindingKind
    from rondo.monitor.estimates.expected_harm import ExpectedLoss
    from rondo.monitor.evidence.component_tests.watched import Alarm
    from rondo.monitor.evidence.suspicion import Suspected
    from rondo.monitor.history.closed_window import ClosedWindow, WindowBins

_NEXT = "The trainer decides by the spec's `retrain` whether to train now; `rondo watch` shows its decision."
_NEXT_OF_GAPS = (
    "It starts no training. `rondo drift` shows the rates of the groups; `rondo train` makes a candidate, which "
    "`gates.fairness` checks."
)
_MAX_LISTED = 5
# An event has at most 1 MiB. A statistic takes up to 250 bytes of it, and its category up to 1,500 more.
_MAX_STATISTICS, _MAX_STATISTICS_BYTES = 3_000, 900_000
_MOST_FEATURES = 100
# exp() of a larger number overflows a float64, so the e-value is capped.
_LARGEST_LOGARITHM = 700.0
_NOTHING_EXPECTED = ExpectedHarm()


@dataclass(frozen=True)
class Announcement:
    """An event to publish. Its id is a function of its content, so consumers recognize a repetition.

    `closed` is the record of the window that the event is about, and `bins` are its rows by bin.
    """

    event: Event
    event_id: str
    closed: ClosedWindow | None = None
    bins: WindowBins | None = None


@dataclass(frozen=True)
class Subject:
    """The model and the version that a finding is about.

    `false_alarm_rate` is the spec's. `labelled_rows` is the number of rows whose losses are evidence so far.
    """

    model: str
    version: int
    false_alarm_rate: float
    labelled_rows: int

    def finding_id(self, kind: str, at: datetime) -> str:
        """Return the id of a finding, a function of model, version, kind and time only."""
        text = f"{self.model}/{self.version}/{kind}/{at.isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def closed(subject: Subject, closed: ClosedWindow, bins: WindowBins | None = None) -> Announcement:
    """Build the event of a closed window, with as many statistics as fit into a message."""
    event = WindowClosed(
        model=subject.model,
        finding_id=subject.finding_id("window", closed.start),
        model_version=subject.version,
        window=Window(start=closed.start, end=closed.end, rows=closed.rows),
        since=closed.start,
        **_bounded(closed.statistics),
        labelled_rows=closed.labelled_rows,
        role=closed.role,
        no_verdict=closed.no_verdict,
        estimates=closed.estimates,
    )
    return Announcement(event, event.finding_id, closed, bins)


def found(
    kind: FindingKind,
    subject: Subject,
    alarms: Sequence[Alarm],
    at: datetime,
    expected: ExpectedHarm = _NOTHING_EXPECTED,
) -> Announcement:
    """Build a finding from alarms of its kind as of a time, the most important alarm first.

    `expected` is the evidence for and against harm since the change. Only drift has it.
    """
    first = alarms[0].change
    end = max(to_time(alarm.end) for alarm in alarms)
    content: dict[str, Any] = {
        "model": subject.model,
        "finding_id": subject.finding_id(kind, at),
        "model_version": subject.version,
        "window": Window(start=to_time(first.since), end=end, rows=first.rows),
        "since": to_time(first.since),
        "since_earliest": to_time(first.earliest),
        "since_latest": to_time(first.latest),
        **_bounded(tuple(statistic_of(alarm) for alarm in alarms)),
    }
    if kind in {"performance", "slices"}:
        content["labelled_rows"] = subject.labelled_rows
    if kind == "drift":
        content["estimated_loss"] = estimate_of(expected.loss) if expected.loss else None
        content["importance"] = expected.reliance.features[:_MOST_FEATURES] if expected.reliance else ()
        content["harm"] = expected.harm
    event: Finding = _EVENTS[kind].model_validate(content)
    return Announcement(event, event.finding_id)


def alert(kind: FindingKind, subject: Subject, finding: Announcement) -> Announcement:
    """Build the alert of a finding. Both have the same id."""
    event = finding.event
    assert isinstance(event, DriftDetected | PerformanceDegraded | DataQualityDegraded)  # noqa: S101 - made by `found`
    figures = listed(event.statistics)
    if kind in {"performance", "slices"}:
        figures += f", on {subject.labelled_rows:,} outcomes"
    earliest, latest = event.since_earliest or event.since, event.since_latest or event.since
    raised = AlertRaised(
        model=subject.model,
        alert_id=event.finding_id,
        kind=kind,
        model_version=subject.version,
        role=event.role,
        severity=_severity(kind, event),
        title=f"{subject.model} version {subject.version}: {_TITLES[kind]}",
        detail=f"{figures}; most likely since {event.since:%Y-%m-%d %H:%M} UTC "
        f"(between {earliest:%Y-%m-%d %H:%M} and {latest:%Y-%m-%d %H:%M}). {_harm(event)}{_NEXT}",
        raised_at=event.window.end,
    )
    return Announcement(raised, f"{raised.alert_id}-raised")


def listed(statistics: Sequence[Statistic]) -> str:
    """Return the first statistics as text, and the number of the others."""
    figures = [described(each) for each in statistics]
    more = [f"and {len(figures) - _MAX_LISTED} more"] if len(figures) > _MAX_LISTED else []
    return ", ".join(figures[:_MAX_LISTED] + more)


def _severity(kind: FindingKind, event: Finding) -> Severity:
    if kind == "performance":
        return Severity.CRITICAL
    return Severity.INFO if isinstance(event, DriftDetected) and event.harm == Harm.NONE else Severity.WARNING


def _harm(event: Finding) -> str:
    sentences = described_harm(event) if isinstance(event, DriftDetected) else ""
    return f"{sentences[0].upper()}{sentences[1:]}. " if sentences else ""


def warning(
    subject: Subject, kind: str, title: str, detail: str, at: datetime, role: WindowRole = WindowRole.CHAMPION
) -> Announcement:
    """Build an alert about a version that has no finding. `title` follows the name of the version."""
    alert = AlertRaised(
        model=subject.model,
        alert_id=subject.finding_id(kind, at),
        kind=kind,
        model_version=subject.version,
        role=role,
        severity=Severity.WARNING,
        title=f"{subject.model} version {subject.version}: {title}",
        detail=detail,
        raised_at=at,
    )
    return Announcement(alert, f"{alert.alert_id}-raised")


def changed_gaps(subject: Subject, alarms: Sequence[Alarm], at: datetime) -> Announcement:
    """Build the alert that gaps between groups have changed, the strongest evidence first."""
    change = alarms[0].change
    since, earliest, latest = (to_time(each) for each in (change.since, change.earliest, change.latest))
    detail = (
        f"{listed([statistic_of(each) for each in alarms])}; most likely since {since:%Y-%m-%d %H:%M} UTC "
        f"(between {earliest:%Y-%m-%d %H:%M} and {latest:%Y-%m-%d %H:%M}). {_NEXT_OF_GAPS}"
    )
    return warning(subject, AlertKind.FAIRNESS, "the gap between groups has changed", detail, at)


def suspected(subject: Subject, suspicion: Suspected, at: datetime) -> Announcement:
    """Build the event of a suspicion as of a time.

    The losses may end earlier, because those of later rows are not known yet.
    """
    since, end = to_time(suspicion.since), to_time(suspicion.end)
    statistic = Statistic(
        statistic=StatisticName.LOSS,
        value=suspicion.after,
        reference=suspicion.before,
        e_value=_e_value(suspicion.evidence),
    )
    event = PerformanceSuspected(
        model=subject.model,
        finding_id=subject.finding_id("suspicion", at),
        model_version=subject.version,
        window=Window(start=since, end=end, rows=suspicion.rows),
        since=since,
        statistics=(statistic,),
        labelled_rows=subject.labelled_rows,
    )
    return Announcement(event, event.finding_id)


def harm_expected(subject: Subject, drift: Announcement, loss: ExpectedLoss, at: datetime) -> Announcement:
    """Build the suspicion that drift does harm, by the expected loss since the drift."""
    event = drift.event
    assert isinstance(event, DriftDetected)  # noqa: S101 - made by `found`
    suspicion = PerformanceSuspected(
        model=subject.model,
        finding_id=subject.finding_id("estimated-suspicion", at),
        model_version=subject.version,
        window=Window(start=event.since, end=event.window.end, rows=loss.rows),
        since=event.since,
        since_earliest=event.since_earliest,
        since_latest=event.since_latest,
        statistics=(Statistic(statistic=StatisticName.LOSS, value=loss.value, reference=loss.reference),),
        labelled_rows=subject.labelled_rows,
        estimated_loss=estimate_of(loss),
    )
    return Announcement(suspicion, suspicion.finding_id)


def estimate_of(loss: ExpectedLoss) -> Estimate:
    """Return an expected loss in the form of events and the status."""
    return Estimate(
        statistic=StatisticName.LOSS,
        value=loss.value,
        error=loss.error,
        reference=loss.reference,
        method=EstimateMethod.EXPECTED,
        assumption=ASSUMPTION,
    )


def resolved(model: str, alert_id: str, at: datetime, why: str) -> Announcement:
    """Build the end of an alert."""
    event = AlertResolved(model=model, alert_id=alert_id, detail=why, resolved_at=at)
    return Announcement(event, f"{alert_id}-resolved")


_EVENTS: dict[FindingKind, type[Finding]] = {
    "drift": DriftDetected,
    "performance": PerformanceDegraded,
    "slices": PerformanceDegraded,
    "detectors": DriftDetected,
    "quality": DataQualityDegraded,
}
_TITLES = {
    "drift": "its inputs or scores differ from the reference",
    "performance": "it predicts worse than on its holdout",
    "slices": "it predicts worse than on its holdout for some slices",
    "detectors": "a detector of your own shows a change",
    "quality": "its requests have missing, unseen or out-of-range values",
}


def statistic_of(alarm: Alarm) -> Statistic:
    """Return the mean of an alarm's component since the change, and the mean before it."""
    component, change = alarm.component, alarm.change
    return Statistic(
        feature=component.column,
        category=component.category,
        statistic=component.statistic,
        value=component.reported(change.after),
        reference=component.reported(change.before),
        threshold=None,
        e_value=_e_value(alarm.evidence),
        e_threshold=_e_value(alarm.threshold),
    )


def _e_value(logarithm: float) -> float:
    return math.exp(min(logarithm, _LARGEST_LOGARITHM))


def _bounded(statistics: tuple[Statistic, ...]) -> dict[str, Any]:
    sizes = accumulate(len(each.model_dump_json().encode()) + 1 for each in statistics[:_MAX_STATISTICS])
    kept = sum(1 for _ in takewhile(lambda size: size <= _MAX_STATISTICS_BYTES, sizes))
    return {"statistics": statistics[:kept], "statistics_left_out": len(statistics) - kept}
