"""The alerts about a canary and a shadow: their requests or answers differ from their training data.

They have no finding, because a finding starts a training as if the champion had changed. The evidence is that of
`candidates`, and each version has its own false-alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import WindowRole
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Subject, listed, statistic_of
from rondo.monitor.evidence.component_sums import INPUT_GROUPS

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.version_evidence import VersionEvidence

_TITLE = "its requests or answers as a {role} differ from its training"
_NEXT = "It starts no training. `rondo drift` has the evidence, and `rondo rollout` decides about the version."
_OVER = "it is no {role} any more, or another version is"


@dataclass(frozen=True)
class CandidateAlert:
    """The open alert about a version."""

    version: int
    alert_id: str


def raised(
    model: str, role: str, version: int, evidence: VersionEvidence, false_alarm_rate: float, at: datetime
) -> tuple[CandidateAlert, Announcement] | None:
    """Return the alert about a candidate as of a time. None if nothing is evident."""
    alarms = list(evidence.alarms(false_alarm_rate, INPUT_GROUPS))
    if not alarms:
        return None
    subject = Subject(model, version, false_alarm_rate, 0)
    detail = f"{listed([statistic_of(each) for each in alarms])}. {_NEXT}"
    alert = findings.warning(subject, role, _TITLE.format(role=role), detail, at, WindowRole(role))
    return CandidateAlert(version, alert.event_id.removesuffix("-raised")), alert


def ended(model: str, role: str, alert: CandidateAlert, at: datetime) -> Announcement:
    """Build the end of an alert about a version that no longer has the role."""
    return findings.resolved(model, alert.alert_id, at, _OVER.format(role=role))
