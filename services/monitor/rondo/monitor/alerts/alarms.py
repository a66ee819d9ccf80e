"""The alarms of the champion: a finding and an alert when evidence suffices, and the finding again while it lasts.

An alarm lasts until the version is replaced: the evidence against "nothing has changed" does not go away. With each
closed window the finding is published again, with what is known by then. The first one may have met a cooldown, a
failed run, or a gate that refused the candidate, and without a repetition nothing would happen until a person looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.monitor.alerts import findings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rondo.monitor.alerts.findings import Announcement, FindingKind, Subject
    from rondo.monitor.evidence.version_evidence import Alarm


@dataclass(frozen=True)
class EvidenceAlarm:
    """`alert_id` is that of the open alert. `known` is the number of components that have been reported."""

    alert_id: str | None = None
    known: int = 0


def update_alarm(
    before: EvidenceAlarm, kind: FindingKind, subject: Subject, alarms: Sequence[Alarm], at: datetime, *, repeat: bool
) -> tuple[EvidenceAlarm, list[Announcement]]:
    """Return the alarm after a look at the evidence, and what to publish.

    `alarms` are those of this kind so far, and `at` is the event time of the look. A finding is published when there
    are more alarms than before; with `repeat` in any case, if there are any.
    """
    if not alarms or (len(alarms) <= before.known and not repeat):
        return before, []
    finding = findings.found(kind, subject, alarms, at)
    after = replace(before, known=len(alarms))
    if before.alert_id is not None:
        return after, [finding]  # for the trainer to reconsider; people have the alert already
    return replace(after, alert_id=finding.event_id), [finding, findings.alert(kind, subject, finding)]
