"""Alarms: raised once, published again with each window and with each new component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.alerts.alarms import EvidenceAlarm, update_alarm

from tests.monitor.alerts.alarms import SUBJECT, alarm, at

if TYPE_CHECKING:
    from rondo.monitor.evidence.version_evidence import Alarm

X, CITY = alarm("inputs", "x", "level"), alarm("inputs", "city", "share of a")


def updated(before: EvidenceAlarm, alarms: list[Alarm], day: float, *, repeat: bool) -> tuple[EvidenceAlarm, list[str]]:
    after, published = update_alarm(before, "drift", SUBJECT, alarms, at(day), repeat=repeat)
    return after, [type(each.event).__name__ for each in published]


def test_without_an_alarm_nothing_is_published() -> None:
    for repeat in (False, True):
        assert updated(EvidenceAlarm(), [], 1, repeat=repeat) == (EvidenceAlarm(), [])


def test_the_first_alarm_is_a_finding_and_an_alert_with_its_id() -> None:
    after, published = update_alarm(EvidenceAlarm(), "drift", SUBJECT, [X], at(1), repeat=False)
    finding, alert = published
    assert after == EvidenceAlarm(finding.event_id, 1)
    assert alert.event_id == f"{finding.event_id}-raised"


def test_while_it_lasts_the_finding_is_published_again_with_each_window_and_raises_no_second_alert() -> None:
    raised, _ = updated(EvidenceAlarm(), [X], 1, repeat=False)
    assert updated(raised, [X], 2, repeat=False) == (raised, [])
    assert updated(raised, [X], 3, repeat=True) == (raised, ["DriftDetected"])


def test_another_component_is_published_at_once() -> None:
    raised, _ = updated(EvidenceAlarm(), [X], 1, repeat=False)
    after, published = updated(raised, [X, CITY], 2, repeat=False)
    assert (after, published) == (EvidenceAlarm(raised.alert_id, 2), ["DriftDetected"])


def test_each_repetition_has_an_id_of_its_own() -> None:
    ids = {
        update_alarm(EvidenceAlarm("a", 1), "drift", SUBJECT, [X], at(day), repeat=True)[1][0].event_id
        for day in range(5)
    }
    assert len(ids) == 5


def test_an_alarm_of_the_same_artifact_that_is_promoted_again_lasts_while_its_evidence_starts_over() -> None:
    raised, _ = updated(EvidenceAlarm(), [X, CITY], 1, repeat=False)
    assert updated(raised, [], 2, repeat=True) == (raised, [])
    assert updated(raised, [X], 3, repeat=False) == (raised, [])
