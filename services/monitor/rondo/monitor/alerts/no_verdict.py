"""The alert that windows close without a verdict, because they have too few rows or outcomes.

A model without any outcomes raises none: its drift is decided, and its performance is not meant to be.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.vocabularies import Severity
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Announcement

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Subject
    from rondo.monitor.alerts.hysteresis import AlarmState
    from rondo.monitor.detectors.evaluate import WindowResult

CONSECUTIVE = 2
_TOO_FEW = "Lengthen `monitor.window` or lower `monitor.min_rows` in the spec"
_OUTCOMES = ", or raise `data.label_delay` if outcomes arrive after their window closed"
_NOT_DEFINED = "Lengthen `monitor.window` in the spec"


def update_no_verdict_alarm(
    before: AlarmState, subject: Subject, result: WindowResult, start: int
) -> tuple[AlarmState, list[Announcement]]:
    """Return the alarm after a window, and what to publish: the alert, its end, or nothing."""
    too_few = result.no_verdict is not None and (result.rows < result.min_rows or result.labelled_rows > 0)
    after, transition = before.observe(too_few, start, CONSECUTIVE)
    if transition == "raised":
        alert = _raised(subject, result)
        return replace(after, alert_id=alert.event_id.removesuffix("-raised")), [alert]
    if transition == "recovered" and before.alert_id:
        why = f"{CONSECUTIVE} windows in a row had enough rows and outcomes"
        return after, [findings.resolved(subject.model, before.alert_id, subject.window.end, why)]
    return after, []


def _raised(subject: Subject, result: WindowResult) -> Announcement:
    name = f"{subject.model}/no-verdict/{subject.window.start.isoformat()}"
    alert_id = hashlib.sha256(name.encode()).hexdigest()[:32]
    reason, unnoticed, advice = str(result.no_verdict), "degradation goes unnoticed", _NOT_DEFINED
    if result.rows < result.min_rows:
        reason, unnoticed, advice = f"{reason} that a verdict needs", "drift and degradation go unnoticed", _TOO_FEW
    elif result.labelled_rows < result.min_rows:
        reason, advice = f"{reason} that a verdict needs", _TOO_FEW + _OUTCOMES
    alert = AlertRaised(
        model=subject.model,
        alert_id=alert_id,
        severity=Severity.WARNING,
        title=f"{subject.model} version {subject.version}: {CONSECUTIVE} windows in a row without a verdict",
        detail=f"the last one had {reason}, so {unnoticed}. {advice}, and apply it again.",
        raised_at=subject.window.end,
    )
    return Announcement(alert, f"{alert_id}-raised")
