"""The alarms of the champion: a finding and an alert when the evidence suffices, and repeated findings while it lasts.

An alarm lasts until the version is replaced, because the evidence against "nothing has changed" does not decrease.
While the alarm lasts, the finding is published again with the current evidence. The first finding may have met a
cooldown, a failed run, or a gate that refused the candidate. Without a repetition nothing would happen until a person
looks. Most of what a repetition can add is known early, so repetitions become rarer: the next one is due when the time
since the first finding has doubled since the last one, and after a week at the latest, which is the period of the
trainer's budget. A finding about a further component is published at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import Harm
from rondo.monitor.alerts import findings
from rondo.monitor.estimates.expected_harm import ExpectedHarm
from rondo.monitor.windows.tumbling import to_micros, to_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from rondo.monitor.alerts.finding_kinds import FindingKind
    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.evidence.component_tests.watched import Alarm

LONGEST_INTERVAL = timedelta(days=7)
NOT_ENOUGH = "its evidence is not enough for the false-alarm rate of the spec"
PART_OF_DRIFT = (
    "the level or the spread of the feature has changed, too, so the numbers out of range are part of its drift"
)


@dataclass(frozen=True)
class Repetition:
    """The times at which a finding was published `first` and `last`, in microseconds of event time."""

    first: int
    last: int

    def is_due(self, at: datetime) -> bool:
        """Return whether the finding is due to be published again."""
        since_last = at - to_time(self.last)
        return since_last >= min(to_time(self.last) - to_time(self.first), LONGEST_INTERVAL)

    def again(self, at: datetime) -> Repetition:
        return Repetition(self.first, to_micros(at))


@dataclass(frozen=True)
class EvidenceAlarm:
    """An alarm of a kind. `alert_id` is that of the open alert.

    `known` is the number of components that have been reported. `first` and `last` are when the finding was published,
    in microseconds of event time. `harmless` is true if no harm was expected when the alert was opened.
    """

    alert_id: str | None = None
    known: int = 0
    first: int = 0
    last: int = 0
    harmless: bool = False

    def repeats_at(self, at: datetime) -> bool:
        """Return whether the finding of an open alarm is due again."""
        return Repetition(self.first, self.last).is_due(at)


def update_alarm(
    before: EvidenceAlarm,
    kind: FindingKind,
    subject: Subject,
    alarms: Sequence[Alarm],
    at: datetime,
    *,
    repeat: bool,
    assess: Callable[[Sequence[Alarm]], ExpectedHarm] = lambda _: ExpectedHarm(),
    resolution: str = NOT_ENOUGH,
) -> tuple[EvidenceAlarm, list[Announcement]]:
    """Return the alarm after a look at the evidence, and the announcements to publish.

    `alarms` are those of this kind so far, and `at` is the event time of the look. A finding is published when there
    are more alarms than before, and with `repeat` when it is due again. `assess` returns the evidence for and against
    harm. Where drift is likely to do harm, a suspicion of the performance is published as well. An alert that was
    opened as harmless is replaced by a more urgent one once harm can no longer be ruled out. Without alarms an open
    alert is resolved, for the reason `resolution`. Usually the false-alarm rate of the spec has become lower.
    """
    if not alarms:
        ended = before.alert_id and findings.resolved(subject.model, before.alert_id, at, resolution)
        return EvidenceAlarm(), [ended] if ended else []
    # An alarm may have become one of another kind, and the next one of this kind is a further one all the same.
    before = replace(before, known=min(before.known, len(alarms)))
    if len(alarms) <= before.known and not (repeat and before.repeats_at(at)):
        return before, []
    expected = assess(alarms) if kind == "drift" else ExpectedHarm()
    finding, harmless = findings.found(kind, subject, alarms, at, expected), expected.harm == Harm.NONE
    is_likely = expected.loss and expected.harm == Harm.LIKELY
    harm = [findings.harm_expected(subject, finding, expected.loss, at)] if expected.loss and is_likely else []
    after = replace(before, known=len(alarms), last=to_micros(at))
    if before.alert_id is not None and (harmless or not before.harmless):
        return after, [finding, *harm]  # The trainer reconsiders. People have the alert already.
    replaced = [findings.resolved(subject.model, before.alert_id, at, _MORE_URGENT)] if before.alert_id else []
    first = before.first if replaced else after.last
    after = replace(after, alert_id=finding.event_id, first=first, harmless=harmless)
    return after, [finding, *replaced, findings.alert(kind, subject, finding), *harm]


_MORE_URGENT = "harm can no longer be ruled out, so another alert takes its place"
