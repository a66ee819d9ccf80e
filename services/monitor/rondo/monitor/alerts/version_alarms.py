"""The findings, suspicions and alerts that follow from the evidence about the champion, and the alerts that are open.

The evidence that needs no outcomes is evaluated after each step of event time, and the losses after each closed window.
So the published events depend only on the rows, and not on how they arrived. With `repeat`, at the first step with rows
of a window, a finding may be published again, and the columns that can be judged are recorded. It is the first step
because the last step of a window may have no rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.monitoring import PerformanceSuspected
from rondo.contracts.vocabularies import AlertKind
from rondo.monitor.alerts import findings, no_verdict, user_detectors
from rondo.monitor.alerts.alarms import NOT_ENOUGH, PART_OF_DRIFT, EvidenceAlarm, Repetition, update_alarm
from rondo.monitor.alerts.finding_kinds import FINDING_KINDS, by_kind, has_range
from rondo.monitor.estimates.expected_harm import ExpectedHarm, expected_loss
from rondo.monitor.estimates.reliance import order_of, reliance
from rondo.monitor.evidence.component_sums import DETECTORS, GAPS, INPUT_GROUPS, LOSS, SLICES
from rondo.monitor.evidence.verdicts import note_judged
from rondo.monitor.history.closed_window import ClosedWindow, column_evidence, evidence_until
from rondo.monitor.statistics.slice_figures import group_gaps
from rondo.monitor.windows.tumbling import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from rondo.contracts.events.monitoring import Estimate, Statistic, Window
    from rondo.monitor.alerts.finding_kinds import FindingKind
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.costs.cost_status import CostStatus
    from rondo.monitor.evidence.component_sums import Group
    from rondo.monitor.evidence.component_tests.watched import Alarm
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.version_evidence import VersionEvidence
    from rondo.monitor.history.closed_window import WindowBins
    from rondo.monitor.statistics.slice_figures import SliceFigures

_INPUT_KINDS: tuple[FindingKind, ...] = ("drift", "quality")
_NO_GAP = "no change of a gap is evident, or the spec names no groups in `gates.fairness` any more"
SuspicionSource = Literal["losses", "expected_harm"]


@dataclass(frozen=True)
class LabelledWindow:
    """A closed window: its rows with outcomes, statistics, slices, and the estimated performance of all its rows.

    `cost` is the cost of its predictions. `failures` are the users' detectors that have no figures of it, with the
    reasons. `bins` are its rows by bin.
    """

    window: Window
    labelled_rows: int
    statistics: tuple[Statistic, ...]
    estimates: tuple[Estimate, ...] = ()
    slices: tuple[SliceFigures, ...] = ()
    failures: tuple[str, ...] = ()
    cost: CostStatus | None = None
    bins: WindowBins | None = None


@dataclass
class VersionAlarms:
    """The alarms of a version by kind. `unjudged` has the ids of the open alerts that something can't be judged.

    Its keys are `no_verdict` for inputs and outputs, `no_performance_verdict` for the losses, and `detector_failed` and
    `no_detector_verdict` for users' detectors. `fairness` is there, too: a changed gap has an alert and no finding.
    `suspicions` are those that have been published.
    """

    by_kind: dict[FindingKind, EvidenceAlarm] = field(
        default_factory=lambda: dict.fromkeys(FINDING_KINDS, EvidenceAlarm())
    )
    unjudged: dict[str, str] = field(default_factory=dict)
    suspicions: dict[SuspicionSource, Repetition] = field(default_factory=dict)

    @property
    def open(self) -> dict[str, str]:
        """The ids of the open alerts by kind."""
        found: dict[str, str] = {kind: alarm.alert_id for kind, alarm in self.by_kind.items() if alarm.alert_id}
        return found | self.unjudged

    def after_step(
        self, subject: Subject, evidence: VersionEvidence, reference: Reference, end: datetime, *, repeat: bool
    ) -> list[Announcement]:
        importance = reference.profile.importance

        def assess(alarms: Sequence[Alarm]) -> ExpectedHarm:
            estimator, history = reference.estimator, evidence.predicted
            since = alarms[0].change.since
            loss = expected_loss(estimator, history, since) if estimator and history else None
            return ExpectedHarm(loss, reliance(importance, _columns(alarms)))

        alarms = list(evidence.alarms(subject.false_alarm_rate, INPUT_GROUPS))
        order = order_of(importance, _columns(alarms))
        alarms.sort(key=lambda alarm: order(alarm.component.column))
        published = self._found(_INPUT_KINDS, alarms, subject, end, assess, repeat=repeat)
        if repeat:
            note_judged(evidence, subject.false_alarm_rate, INPUT_GROUPS, to_micros(end))
            published += self._unjudged("no_verdict", INPUT_GROUPS, subject, evidence, reference, end)
        return published

    def after_window(
        self, subject: Subject, evidence: VersionEvidence, reference: Reference, closed: LabelledWindow
    ) -> list[Announcement]:
        """Return the announcements after a window whose losses the evidence has."""
        end, rate = closed.window.end, subject.false_alarm_rate
        note_judged(evidence, rate, (LOSS, SLICES), to_micros(end))
        kept = ClosedWindow(
            **closed.window.model_dump(),
            model_version=subject.version,
            labelled_rows=closed.labelled_rows,
            statistics=closed.statistics,
            slices=closed.slices,
            gaps=group_gaps(closed.slices, reference),
            evidence=column_evidence(evidence, rate),
            evidence_until=evidence_until(evidence),
            no_verdict=no_verdict.performance(evidence, reference, rate)
            or no_verdict.out_of_reach(evidence, rate, [LOSS]),
            estimates=closed.estimates,
            cost=closed.cost,
        )
        published = [findings.closed(subject, kept, closed.bins)]
        losses = list(evidence.alarms(rate, (LOSS, SLICES)))
        published += self._found(("performance", "slices"), losses, subject, end, repeat=True)
        if (suspicion := evidence.suspicion) and suspicion.found and self._is_due("losses", end):
            published.append(findings.suspected(subject, suspicion.found, end))
        gaps = list(evidence.alarms(rate, [GAPS]))
        alert = findings.changed_gaps(subject, gaps, end) if gaps else None
        published += self._open_or_resolve(AlertKind.FAIRNESS.value, subject, alert, end, _NO_GAP)
        published += self._user_detectors(subject, closed.failures, end)
        return published + self._unjudged("no_performance_verdict", (LOSS,), subject, evidence, reference, end)

    def after_block(self, subject: Subject, evidence: VersionEvidence, end: datetime) -> list[Announcement]:
        """Return the announcements after a block of which the evidence has the figures of users' detectors."""
        alarms = list(evidence.alarms(subject.false_alarm_rate, [DETECTORS]))
        return self._found(("detectors",), alarms, subject, end, repeat=True)

    def after_blocks(self, subject: Subject, failures: Sequence[str], at: datetime) -> list[Announcement]:
        """Open or resolve the alert that users' detectors have no figures of blocks."""
        alert = user_detectors.without_verdict(subject, failures, at) if failures else None
        over = "every detector has figures of the last blocks"
        return self._open_or_resolve(AlertKind.NO_DETECTOR_VERDICT.value, subject, alert, at, over)

    def end_detectors(self) -> list[str]:
        """Reset the alarm of users' detectors. Returns the ids of its open alerts."""
        found = [self.by_kind["detectors"].alert_id, self.unjudged.pop(AlertKind.NO_DETECTOR_VERDICT.value, None)]
        self.by_kind["detectors"] = EvidenceAlarm()
        return [alert_id for alert_id in found if alert_id]

    def _user_detectors(self, subject: Subject, failures: Sequence[str], at: datetime) -> list[Announcement]:
        """Open or resolve the alert that users' detectors have failed."""
        alert = user_detectors.raised(subject, failures, at) if failures else None
        over = "every detector has figures of the last window"
        return self._open_or_resolve(AlertKind.DETECTOR_FAILED.value, subject, alert, at, over)

    def _found(
        self, kinds: Sequence[FindingKind], alarms: Sequence[Alarm], subject: Subject, at: datetime,
        assess: Callable[[Sequence[Alarm]], ExpectedHarm] = lambda _: ExpectedHarm(), *, repeat: bool,
    ) -> list[Announcement]:  # fmt: skip
        published, of_kind = list["Announcement"](), by_kind(alarms)
        for kind in kinds:
            over = PART_OF_DRIFT if kind == "quality" and has_range(of_kind["drift"]) else NOT_ENOUGH
            self.by_kind[kind], found = update_alarm(
                self.by_kind[kind], kind, subject, of_kind[kind], at, repeat=repeat, assess=assess, resolution=over
            )
            # A finding about a further component is published at once. It adds nothing about the performance.
            published += [
                each
                for each in found
                if not isinstance(each.event, PerformanceSuspected) or self._is_due("expected_harm", at)
            ]
        return published

    def _is_due(self, source: SuspicionSource, at: datetime) -> bool:
        """Return whether a suspicion is due to be published, with its state at that time."""
        before = self.suspicions.get(source)
        if before is not None and not before.is_due(at):
            return False
        self.suspicions[source] = before.again(at) if before else Repetition(to_micros(at), to_micros(at))
        return True

    def _unjudged(
        self, name: str, groups: Sequence[Group], subject: Subject, evidence: VersionEvidence, reference: Reference,
        at: datetime,
    ) -> list[Announcement]:  # fmt: skip
        """Open or resolve the alert that something can't be judged."""
        reason = no_verdict.overdue(evidence, reference, subject.false_alarm_rate, groups, to_micros(at))
        alert = no_verdict.raised(name, subject, reason, at) if reason else None
        return self._open_or_resolve(name, subject, alert, at, "everything can be judged now")

    def _open_or_resolve(
        self, name: str, subject: Subject, alert: Announcement | None, at: datetime, over: str
    ) -> list[Announcement]:
        """Open `alert` unless it is open already. Without one, resolve the open alert."""
        alert_id = self.unjudged.get(name)
        if alert and alert_id is None:
            self.unjudged[name] = alert.event_id.removesuffix("-raised")
            return [alert]
        if alert_id is not None and not alert:
            del self.unjudged[name]
            return [findings.resolved(subject.model, alert_id, at, over)]
        return []


def _columns(alarms: Sequence[Alarm]) -> list[str]:
    return [alarm.component.column for alarm in alarms if alarm.component.column is not None]
