"""From a verdict to what is said about it: a finding and its alert, the end of one, or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.monitor.alerts import findings
from rondo.monitor.alerts.hysteresis import step
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.alerts.hysteresis import Alarm, Kind
    from rondo.monitor.detectors.evaluate import Verdict


def ring(
    before: Alarm, kind: Kind, subject: Subject, verdict: Verdict, start: int, consecutive: int
) -> tuple[Alarm, list[Announcement]]:
    """Take a verdict into the alarm of its kind; returns the alarm after it and what there is to say."""
    after, change = step(before, verdict.over(kind), start, consecutive)
    if change in {"raised", "lasts"} and after.since is not None:
        finding, alert = findings.found(kind, replace(subject, since=to_time(after.since)), verdict)
        if change == "lasts":
            return after, [finding]  # the trainer may think otherwise by now; people have been told
        return replace(after, alert_id=finding.event_id), [finding, alert]
    if change == "recovered" and before.alert_id:
        why = f"the figures were within their bounds for {consecutive} windows in a row"
        return after, [findings.resolved(subject.model, before.alert_id, subject.window.end, why)]
    return after, []
