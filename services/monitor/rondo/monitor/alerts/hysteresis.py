"""Hysteresis: an alarm is raised after several windows in a row above the threshold, and recovers after as many below.

Each kind of finding of the version in production has one alarm. While it lasts, the finding is published again every
few windows: the first may have met a cooldown, a failed run, or a gate that refused the candidate, and without a
repetition nothing would happen until a person looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rondo.monitor.alerts import findings
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.evaluate import WindowResult

Transition = Literal["none", "raised", "lasts", "recovered"]


@dataclass(frozen=True)
class AlarmState:
    """Windows in a row `over` and `under` the threshold, the start of the first one over, and the raised alert."""

    over: int = 0
    under: int = 0
    since: int | None = None
    alert_id: str | None = None

    def observe(self, exceeded: bool | None, start: int, consecutive: int) -> tuple[AlarmState, Transition]:  # noqa: FBT001 - a verdict
        """Return the state after the window that begins at `start`. None (not decided) changes nothing.

        The caller sets `alert_id` on `raised`. From then on every `consecutive` windows in a row over the threshold
        yield `lasts`, until `recovered`.
        """
        if exceeded is None:
            return self, "none"
        if exceeded:
            return self._observe_over(start, consecutive)
        if self.alert_id is None:
            return AlarmState(), "none"
        if self.under + 1 >= consecutive:
            return AlarmState(), "recovered"
        return replace(self, over=0, under=self.under + 1), "none"

    def _observe_over(self, start: int, consecutive: int) -> tuple[AlarmState, Transition]:
        after = replace(self, over=self.over + 1, under=0, since=start if self.since is None else self.since)
        if after.over % consecutive:
            return after, "none"
        return after, "raised" if self.alert_id is None else "lasts"


def update_alarm(
    before: AlarmState, kind: FindingKind, subject: Subject, result: WindowResult, start: int, consecutive: int
) -> tuple[AlarmState, list[Announcement]]:
    """Return the alarm after a window, and what to publish: a finding and its alert, the alert's end, or nothing."""
    after, transition = before.observe(result.exceeded(kind), start, consecutive)
    if transition in {"raised", "lasts"} and after.since is not None:
        finding, alert = findings.found(kind, replace(subject, since=to_time(after.since)), result)
        if transition == "lasts":
            return after, [finding]  # for the trainer to reconsider; people have the alert already
        return replace(after, alert_id=finding.event_id), [finding, alert]
    if transition == "recovered" and before.alert_id:
        why = f"the figures were below their thresholds for {consecutive} windows in a row"
        return after, [findings.resolved(subject.model, before.alert_id, subject.window.end, why)]
    return after, []
