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
_OUTCOMES = ", or raise `data.label_delay` if outcomes arrive after their window closed"


def update_no_verdict_alarm(
    before: AlarmState, subject: Subject, result: WindowResult, start: int
) -> tuple[AlarmState, list[Announcement]]:
    """Return the alarm after a window, and what to publish: the alert, its end, or nothing."""
    too_few = result.no_verdict is not None and (result.rows < result.min_rows or result.labelled_rows > 0)
    after, transition = before.observe(too_few, start, CONSECUTIVE)
    if transition == "raised":
        alert = _raised(subject, str(result.no_verdict), all_of=result.rows < result.min_rows)
        return replace(after, alert_id=alert.event_id.removesuffix("-raised")), [alert]
    if transition == "recovered" and before.alert_id:
        why = f"{CONSECUTIVE} windows in a row had enough rows and outcomes"
        return after, [findings.resolved(subject.model, before.alert_id, subject.window.end, why)]
    return after, []


def _raised(subject: Subject, reason: str, *, all_of: bool) -> Announcement:
    name = f"{subject.model}/no-verdict/{subject.window.start.isoformat()}"
    alert_id = hashlib.sha256(name.encode()).hexdigest()[:32]
    unnoticed = "drift and degradation go unnoticed" if all_of else "degradation goes unnoticed"
    alert = AlertRaised(
        model=subject.model,
        alert_id=alert_id,
        severity=Severity.WARNING,
        title=f"{subject.model} version {subject.version}: {CONSECUTIVE} windows in a row without a verdict",
        detail=(
            f"the last one had {reason} that a verdict needs, so {unnoticed}. Lengthen `monitor.window` or lower "
            f"`monitor.min_rows` in the spec{'' if all_of else _OUTCOMES}, and apply it again."
        ),
        raised_at=subject.window.end,
    )
    return Announcement(alert, f"{alert_id}-raised")
