"""The path from rows of one model to findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    PerformanceSuspected,
    WindowClosed,
)
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.alerts.version_alarms import VersionAlarms
from rondo.monitor.evidence.staged_test import Change, StagedTest
from rondo.monitor.status.model_status import model_status, summary
from rondo.monitor.windows.candidate_windows import MAX_CANDIDATE_WINDOWS

from tests.monitor.builders import EPOCH, REFERENCE, SPEC, spec
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DELAYED = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"label_delay": 3 * HOUR})})


def days(scenario: DailyScenario, first: int, end: int, **change: float) -> DailyScenario:
    for day in range(first, end):
        scenario.day(day, **change)  # type: ignore[arg-type]
        scenario.close()
    return scenario


@pytest.mark.medium
def test_without_a_change_every_window_is_published_and_nothing_else() -> None:
    scenario = days(DailyScenario(), 0, 8)
    assert scenario.counts() == {"WindowClosed": 7}
    assert {each.no_verdict for each in scenario.all(WindowClosed)} == {None}
    first = scenario.all(WindowClosed)[0]
    assert (first.window.rows, first.labelled_rows, first.window.start) == (1_000, 1_000, EPOCH)
    (auc,) = [s for s in first.statistics if s.statistic == "roc_auc"]
    assert auc.value == pytest.approx(REFERENCE.performance["roc_auc"].value, abs=0.05)
    assert {s.feature for s in first.statistics if s.statistic == "psi"} == {"x", "city", "output.score"}


@pytest.mark.medium
def test_a_shift_is_found_after_the_step_that_shows_it_and_published_again_at_growing_distances() -> None:
    """A step has twelve hours."""
    scenario = days(days(DailyScenario(), 0, 3), 3, 9, shift=1.5)
    found, *again = scenario.all(DriftDetected)
    level = found.statistics[0]
    assert (level.feature, level.statistic) == ("x", "level")
    assert level.reference == pytest.approx(0, abs=0.1)
    assert level.value > 1
    assert level.e_value is not None
    assert level.e_threshold == pytest.approx(3 * 8 / 0.01)
    assert level.e_value >= 3 * 8 / 0.01
    assert found.since_earliest is not None
    assert found.since_latest is not None
    assert found.since_earliest <= EPOCH + 3 * DAY <= found.since_latest + HOUR
    assert abs(found.since - (EPOCH + 3 * DAY)) <= 2 * HOUR
    assert EPOCH + 3 * DAY < found.window.end <= EPOCH + 3 * DAY + 12 * HOUR
    assert [each.window.rows for each in again] == sorted(each.window.rows for each in again)
    # The windows of days 3 to 7 end in this time. The first window after the finding repeats it.
    assert 2 <= len(again) <= 3
    assert {each.since for each in again} == {found.since}
    assert len({each.finding_id for each in (found, *again)}) == 1 + len(again)
    alert = scenario.one(AlertRaised)
    assert (alert.alert_id, alert.severity) == (found.finding_id, "info")  # the scores do not follow
    assert tuple(scenario.state.open_alerts) == ("drift",)


@pytest.mark.medium
def test_windows_whose_last_step_has_no_rows_repeat_a_finding_and_end_the_alert_that_nothing_is_judged() -> None:
    """Rows come in the first twelve hours of each day, which are a step."""
    scenario = days(DailyScenario(), 0, 3, length=0.4)
    assert scenario.state.evidence.versions[1].judged_since.keys() == {"inputs", "outputs", "loss"}
    scenario.state.alarms.unjudged["no_verdict"] = "some"
    days(scenario, 3, 9, shift=1.5, length=0.4)
    assert [each.alert_id for each in scenario.all(AlertResolved)] == ["some"]
    assert 2 <= len(scenario.all(DriftDetected)) - 1 <= 3


def test_the_change_is_looked_for_only_where_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def counting(test: StagedTest, component: int) -> Change:
        looked.append(component)
        return found(test, component)

    scenario, found = days(days(DailyScenario(), 0, 3), 3, 5, shift=1.5), StagedTest.change
    monkeypatch.setattr(StagedTest, "change", counting)
    evidence, subject = scenario.state.evidence.versions[1], Subject("loans", 1, 0.01, 0)
    assert len(list(evidence.alarms(0.01))) > 1
    at = EPOCH + 5 * DAY
    assert scenario.state.alarms.after_step(subject, evidence, REFERENCE, at, repeat=False) == []
    assert looked == []


def test_worse_predictions_of_unchanged_inputs_are_found() -> None:
    scenario = days(days(DailyScenario(), 0, 4), 4, 8, skill=0.3)
    found, *again = scenario.all(PerformanceDegraded)
    (loss,) = found.statistics
    assert (loss.statistic, loss.feature) == ("loss", None)
    assert loss.reference is not None
    assert loss.value > loss.reference
    assert abs(found.since - (EPOCH + 4 * DAY)) <= 4 * HOUR
    assert found.labelled_rows >= 5_000
    assert "DriftDetected" not in scenario.counts()
    alert = scenario.one(AlertRaised)
    assert (alert.alert_id, alert.severity) == (found.finding_id, "critical")
    # The finding is repeated with each window, because each brings more losses.
    later = scenario.published[scenario.published.index(found) :]
    assert len(again) == sum(isinstance(each, WindowClosed) for each in later) >= 2


def test_a_suspicion_comes_no_later_than_the_finding_and_raises_no_alert() -> None:
    scenario = days(days(DailyScenario(), 0, 4), 4, 6, skill=0.3)
    suspected, found = scenario.all(PerformanceSuspected)[0], scenario.all(PerformanceDegraded)[0]
    assert abs(suspected.since - (EPOCH + 4 * DAY)) <= 4 * HOUR
    assert suspected.labelled_rows <= found.labelled_rows
    assert scenario.one(AlertRaised).alert_id == found.finding_id


@pytest.mark.medium
def test_what_lasts_is_published_with_windows_without_outcomes_too_each_time_with_its_own_id() -> None:
    scenario = days(days(DailyScenario(), 0, 3), 3, 6, skill=0.3)
    before = len(scenario.all(PerformanceSuspected))
    days(scenario, 6, 9, labels=False)
    events = [*scenario.all(PerformanceSuspected), *scenario.all(PerformanceDegraded)]
    assert len(scenario.all(PerformanceSuspected)) > before > 0
    assert len({each.finding_id for each in events}) == len(events)


@pytest.mark.medium
def test_a_suspicion_that_lasts_is_published_at_growing_distances() -> None:
    scenario = days(days(DailyScenario(), 0, 3, count=200), 3, 22, skill=0.2, count=200)
    found = [n for n, each in enumerate(scenario.published) if isinstance(each, PerformanceSuspected)]
    closed = [sum(isinstance(each, WindowClosed) for each in scenario.published[:at]) for at in found]
    assert [number - closed[0] for number in closed] == [0, 1, 2, 4, 8, 15][: len(closed)]
    assert len(closed) >= 5


@pytest.mark.medium
def test_missing_values_are_found() -> None:
    scenario = days(days(DailyScenario(), 0, 2), 2, 5, missing=0.2)
    found = scenario.all(DataQualityDegraded)[0]
    (missing,) = found.statistics
    assert (missing.feature, missing.statistic, missing.reference) == ("x", "missing", 0.0)
    assert missing.value == pytest.approx(0.2, abs=0.05)
    assert abs(found.since - (EPOCH + 2 * DAY)) <= 2 * HOUR
    assert "DriftDetected" not in scenario.counts()


@pytest.mark.medium
def test_an_alarm_lasts_until_the_version_is_replaced_also_when_the_inputs_are_as_before_again() -> None:
    scenario = days(days(days(DailyScenario(), 0, 2), 2, 4, shift=1.5), 4, 8)
    assert scenario.counts()["AlertRaised"] == 1
    assert scenario.counts()["AlertResolved"] == 0
    assert scenario.all(DriftDetected)[-1].window.end > EPOCH + 5 * DAY
    assert tuple(scenario.state.open_alerts) == ("drift",)


@pytest.mark.medium
def test_a_promotion_resolves_the_alert_and_begins_the_evidence_anew() -> None:
    scenario = days(DailyScenario(), 0, 4, shift=1.5)
    scenario.promote(NEXT)
    assert scenario.one(AlertResolved).alert_id == scenario.one(AlertRaised).alert_id
    assert tuple(scenario.state.open_alerts) == ()
    assert scenario.state.evidence.known == set()
    days(scenario, 4, 8, shift=1.5, version=2)
    assert scenario.counts()["AlertRaised"] == 2
    assert {e.model_version for e in scenario.all(WindowClosed) if e.window.start.day >= 5} == {2}
    assert {e.since.day for e in scenario.all(DriftDetected) if e.model_version == 2} == {5}


@pytest.mark.medium
def test_a_promotion_of_the_same_artifact_resolves_no_alert_and_keeps_its_evidence() -> None:
    scenario = days(DailyScenario(), 0, 4, shift=1.5)
    found = scenario.all(DriftDetected)
    scenario.day(4, count=100)
    before, open_rows = scenario.state.evidence.versions[1], open_rows_of(scenario)
    scenario.promote(replace(NEXT, digest=CHAMPION.digest))
    assert scenario.state.evidence.known == {2}
    assert scenario.state.evidence.versions[2] is before
    assert open_rows_of(scenario) == open_rows
    assert list(scenario.state.evidence.versions[2].alarms(0.01)) != []
    days(scenario, 5, 9, shift=1.5, version=2)
    assert (scenario.counts()["AlertRaised"], scenario.counts()["AlertResolved"]) == (1, 0)
    again = scenario.all(DriftDetected)[len(found) :]
    assert {(each.model_version, each.since) for each in again} == {(2, found[0].since)}


def open_rows_of(scenario: DailyScenario) -> int:
    return sum(rows for _, rows, _ in scenario.state.evidence.open)


def test_rows_of_the_same_artifact_in_steps_that_are_evidence_already_come_too_late_for_it() -> None:
    scenario = days(DailyScenario(), 0, 3)
    last = scenario.state.evidence.versions[1].taken["inputs"].last
    scenario.state.evidence.open.add(2, np.array([last - 1, last]), np.array([3, 4]), np.zeros((2, 2), np.int64))
    taken = scenario.state.evidence.versions[1].taken
    scenario.state.evidence.open.keep({2})
    scenario.promote(replace(NEXT, digest=CHAMPION.digest))
    assert (scenario.state.evidence.late, open_rows_of(scenario)) == (3, 4)
    assert scenario.state.evidence.versions[2].taken == taken


def test_rows_of_a_former_champion_are_no_evidence() -> None:
    scenario = DailyScenario()
    scenario.promote(NEXT)
    scenario.day(0, version=1)
    scenario.day(0, version=2, count=700)
    scenario.day(2, version=2)
    scenario.close()
    closed = [(each.model_version, each.window.rows, each.labelled_rows) for each in scenario.all(WindowClosed)]
    assert closed == [(1, 1_000, 1_000), (2, 700, 700)]
    taken = scenario.state.evidence.versions[2].taken
    assert (taken["loss"].rows, scenario.state.evidence.known) == (700, {2})
    assert 700 <= taken["inputs"].rows < 1_700


@pytest.mark.medium
def test_rows_that_arrive_before_the_event_of_their_promotion_count() -> None:
    early, late = DailyScenario(), DailyScenario()
    for scenario, promoted in ((early, 0), (late, 2)):
        for day in range(5):
            if day == promoted:
                scenario.promote(NEXT)
            scenario.day(day, version=2, shift=1.5 if day >= 1 else 0)
            scenario.close()
    # The evidence of the version precedes its promotion if the promotion is late.
    published = [{each.model_dump_json() for each in scenario.published} for scenario in (early, late)]
    assert published[0] == published[1]
    assert early.counts()["WindowClosed"] == 4
    assert early.counts()["DriftDetected"] >= 3


def test_the_open_buckets_of_a_candidate_are_those_of_its_windows() -> None:
    """A version that is never promoted needs no more memory with time."""
    scenario = DailyScenario()
    for day in range(MAX_CANDIDATE_WINDOWS + 3):
        scenario.day(day, version=2, count=10, labels=False)
    starts = {start for _, start in scenario.state.windows}
    assert len(starts) == MAX_CANDIDATE_WINDOWS
    assert min(start for (_, start), _, _ in scenario.state.evidence.open) == min(starts)


def test_a_model_that_is_applied_again_after_its_removal_counts_older_rows() -> None:
    scenario = DailyScenario()
    scenario.day(365, count=1)
    scenario.day(366, count=1)
    scenario.day(0)
    assert scenario.state.windows.keys().isdisjoint({(1, 0)})
    assert scenario.state.dropped.counts["late_rows"] == 1_000
    scenario.state.remove(2)
    assert scenario.state.evidence.known == set()
    scenario.state.apply_spec(scenario.spec)
    for day in (0, 1):
        scenario.day(day)
    scenario.close()
    assert scenario.state.dropped.counts["late_rows"] == 1_000
    assert scenario.all(WindowClosed)[-1].window.start == EPOCH


def test_a_removal_resolves_the_alerts() -> None:
    scenario = days(DailyScenario(), 0, 3, shift=1.5)
    resolved = [each.event for each in scenario.state.remove(2)]
    assert [getattr(each, "alert_id", None) for each in resolved] == [scenario.one(AlertRaised).alert_id]
    assert tuple(scenario.state.open_alerts) == ()


@pytest.mark.medium
@pytest.mark.parametrize("other", [spec(window="7d"), DELAYED], ids=["window", "label_delay"])
def test_another_window_length_or_label_delay_resolves_the_alerts_of_the_evidence(other: ModelSpec) -> None:
    scenario = days(DailyScenario(), 0, 4, shift=1.5)
    (resolved,) = (each.event for each in scenario.state.apply_spec(other))
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == scenario.one(AlertRaised).alert_id
    assert (tuple(scenario.state.open_alerts), scenario.state.alarms) == ((), VersionAlarms())
    assert scenario.state.evidence.known == set()
    assert scenario.state.apply_spec(other) == []


@pytest.mark.medium
@pytest.mark.parametrize(
    ("applied", "discarded"), [({"window": "7d"}, True), ({"window": None}, False), ({"false_alarm_rate": 0.2}, False)]
)
def test_another_window_length_alone_discards_the_windows_and_the_evidence(
    applied: dict[str, Any], *, discarded: bool
) -> None:
    scenario = days(DailyScenario(), 0, 2)
    scenario.state.apply_spec(spec(**applied))
    assert (scenario.state.windows == {}) == (scenario.state.evidence.known == set()) == discarded
    assert (scenario.state.tumbling is None) == discarded


def test_the_spec_of_another_rate_applies_to_the_evidence_so_far() -> None:
    scenario = days(days(DailyScenario(spec=spec(false_alarm_rate=1e-300)), 0, 2), 2, 3, shift=0.7)
    assert "DriftDetected" not in scenario.counts()
    scenario.state.apply_spec(spec(false_alarm_rate=0.01))
    days(scenario, 3, 4)
    assert "DriftDetected" in scenario.counts()


@pytest.mark.medium
def test_ids_are_a_function_of_version_kind_and_time() -> None:
    first, second = (days(DailyScenario(seed=seed), 0, 4, shift=1.5) for seed in (1, 2))
    ids = [[e.finding_id for e in [*s.all(WindowClosed), *s.all(DriftDetected)]] for s in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_a_summary_has_the_estimates_of_the_newest_rows() -> None:
    scenario = DailyScenario()
    assert summary(scenario.state, scenario.spec, REFERENCE).estimates == ()
    scenario.day(0, labels=False)
    shown, newest = summary(scenario.state, scenario.spec, REFERENCE), None
    for _ in range(2):
        newest = model_status(scenario.state, scenario.spec, REFERENCE).newest
        assert newest
        assert shown.estimates == newest.estimates != ()
        scenario.day(2)
        scenario.close()
        shown = summary(scenario.state, scenario.spec, REFERENCE)


@pytest.mark.medium
def test_a_snapshot_has_the_status_of_its_time_while_the_state_takes_rows() -> None:
    scenario = days(DailyScenario(), 0, 3, shift=1.5)
    before = model_status(scenario.state, scenario.spec, REFERENCE)
    snapshot, labelled = scenario.state.snapshot(), scenario.state.labelled.table
    assert model_status(snapshot, scenario.spec, REFERENCE) == before
    days(scenario, 3, 6, missing=0.5)
    scenario.state.dropped.counts["late_rows"] += 1
    assert model_status(snapshot, scenario.spec, REFERENCE) == before
    assert snapshot.labelled.table.equals(labelled)
    assert model_status(scenario.state, scenario.spec, REFERENCE) != before
