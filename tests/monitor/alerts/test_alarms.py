"""Alarms: raised once, and published again with each new component and at growing intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import AlertResolved
from rondo.monitor.alerts.alarms import EvidenceAlarm, update_alarm
from rondo.monitor.alerts.version_alarms import VersionAlarms

from tests.monitor.alerts.alarms import SUBJECT, alarm, at, micros
from tests.monitor.builders import REFERENCE

if TYPE_CHECKING:
    from rondo.monitor.evidence.component_tests.watched import Alarm

X, CITY = alarm("inputs", "x", "level"), alarm("inputs", "city", "share of a")
X_RANGE = alarm("inputs", "x", "out_of_range")


def updated(before: EvidenceAlarm, alarms: list[Alarm], day: float, *, repeat: bool) -> tuple[EvidenceAlarm, list[str]]:
    after, published = update_alarm(before, "drift", SUBJECT, alarms, at(day), repeat=repeat)
    return after, [type(each.event).__name__ for each in published]


def test_without_an_alarm_nothing_is_published() -> None:
    for repeat in (False, True):
        assert updated(EvidenceAlarm(), [], 1, repeat=repeat) == (EvidenceAlarm(), [])


def test_the_first_alarm_is_a_finding_and_an_alert_with_its_id() -> None:
    after, published = update_alarm(EvidenceAlarm(), "drift", SUBJECT, [X], at(1), repeat=False)
    finding, alert = published
    assert after == EvidenceAlarm(finding.event_id, 1, micros(1), micros(1))
    assert alert.event_id == f"{finding.event_id}-raised"


def test_while_it_lasts_the_finding_is_published_when_twice_as_long_has_passed_and_each_week() -> None:
    alarm, published, ids = EvidenceAlarm(), list[int](), set[str]()
    for day in range(1, 40):
        alarm, found = update_alarm(alarm, "drift", SUBJECT, [X], at(day), repeat=True)
        published += [day] if found else []
        ids |= {each.event_id for each in found}
    # 1, 2, 4 and 8 days after the first one, which comes with an alert. After that once a week.
    assert published == [1, 2, 3, 5, 9, 16, 23, 30, 37]
    assert len(ids) == len(published) + 1


def test_between_windows_nothing_is_repeated() -> None:
    raised, _ = updated(EvidenceAlarm(), [X], 1, repeat=False)
    assert updated(raised, [X], 30, repeat=False) == (raised, [])


def test_windows_that_are_longer_than_a_week_each_repeat_it() -> None:
    alarm, days = EvidenceAlarm(), list[int]()
    for day in range(28, 200, 28):
        alarm, found = updated(alarm, [X], day, repeat=True)
        days += [day] if found else []
    assert days == list(range(28, 200, 28))


def test_another_component_is_published_at_once_and_raises_no_second_alert() -> None:
    raised, _ = updated(EvidenceAlarm(), [X], 1, repeat=False)
    after, published = updated(raised, [X, CITY], 2, repeat=False)
    assert (after.alert_id, after.known, published) == (raised.alert_id, 2, ["DriftDetected"])


def test_an_alarm_in_the_place_of_one_that_became_another_kind_is_published_at_once() -> None:
    unseen, missing = alarm("inputs", "city", "unseen"), alarm("inputs", "city", "missing")
    opened, _ = update_alarm(EvidenceAlarm(), "quality", SUBJECT, [X_RANGE, unseen], at(1), repeat=False)
    left, none = update_alarm(opened, "quality", SUBJECT, [unseen], at(2), repeat=False)
    _, found = update_alarm(left, "quality", SUBJECT, [unseen, missing], at(3), repeat=False)
    assert (none, [type(each.event).__name__ for each in found]) == ([], ["DataQualityDegraded"])


@dataclass
class Evidence:
    """The evidence of a version, without that of its performance."""

    found: list[Alarm]
    predicted: None = None

    def alarms(self, _rate: float, _groups: object) -> list[Alarm]:
        return self.found


def test_the_alert_about_numbers_out_of_range_ends_where_they_become_part_of_the_drift_of_their_feature() -> None:
    alarms, opened = VersionAlarms(), list[list[str]]()
    for day, found in enumerate([[X_RANGE], [X_RANGE, X]]):
        evidence: Any = Evidence(found)
        published = alarms.after_step(SUBJECT, evidence, REFERENCE, at(day), repeat=False)
        opened.append(sorted(alarms.open))
    assert opened == [["quality"], ["drift"]]
    (ended,) = [each.event.detail for each in published if isinstance(each.event, AlertResolved)]
    assert "drift" in ended, "the false-alarm rate of the spec is not the reason"


def test_an_alert_is_resolved_where_the_spec_asks_for_more_evidence_than_there_is() -> None:
    raised, _ = updated(EvidenceAlarm(), [X], 1, repeat=False)
    after, (ended,) = update_alarm(raised, "drift", SUBJECT, [], at(2), repeat=False)
    assert after == EvidenceAlarm()
    assert isinstance(ended.event, AlertResolved)
    assert (ended.event.alert_id, ended.event.resolved_at) == (raised.alert_id, at(2))
