"""The windows of a version that another version replaces."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from rondo.contracts.events.monitoring import DriftDetected, Window, WindowClosed
from rondo.monitor.alerts import replaced_windows
from rondo.monitor.alerts.version_alarms import LabelledWindow
from rondo.monitor.champion_history import MOST_REPLACED
from rondo.monitor.costs.cost_status import Power, cost_status
from rondo.monitor.costs.version_cost import VersionCost
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.status.model_status import model_status

from tests.monitor.alerts.alarms import SUBJECT
from tests.monitor.builders import EPOCH, outcomes, times
from tests.monitor.scenarios import CHAMPION, NEXT, DailyScenario

DAY = timedelta(days=1)


def windows(scenario: DailyScenario) -> list[tuple[int, int, str, int, int]]:
    """Return version, day, role, rows and outcomes of each closed window, in the order in which they closed."""
    return [
        (each.model_version, (each.window.start - EPOCH).days, each.role, each.window.rows, each.labelled_rows)
        for each in scenario.all(WindowClosed)
    ]


def replaced_at_noon(*, restart: bool = False, labels: bool = True) -> DailyScenario:
    """Return a scenario in which version 2 replaces version 1 on day 1, and answers half of that day's rows."""
    scenario = DailyScenario()
    scenario.day(0, labels=labels)
    scenario.day(1, count=400, labels=labels, length=0.5)
    if restart:
        scenario.restart()
    scenario.promote(NEXT)
    if restart:
        scenario.restart()
    scenario.day(1.5, count=300, version=2, length=0.5)
    return scenario


@pytest.mark.medium
@pytest.mark.parametrize("restart", [False, True])
def test_a_window_in_which_a_version_is_replaced_is_one_for_each_version(*, restart: bool) -> None:
    scenario = replaced_at_noon(restart=restart)
    scenario.day(3, version=2)
    scenario.close()
    assert windows(scenario) == [
        (1, 0, "replaced", 1_000, 1_000), (1, 1, "replaced", 400, 400), (2, 1, "champion", 300, 300),
    ]  # fmt: skip


def test_the_window_of_a_replaced_version_has_what_its_predictions_cost() -> None:
    cost = cost_status(3, VersionCost(980, 20), Power())
    window = LabelledWindow(Window(start=EPOCH, end=EPOCH + DAY, rows=980), 0, (), cost=cost)
    kept = replaced_windows.closed(SUBJECT, window, DailyScenario().reference).closed
    assert kept is not None
    assert kept.cost == cost


@pytest.mark.medium
def test_a_restart_changes_nothing_of_what_is_published() -> None:
    published = []
    for restart in (False, True):
        scenario = replaced_at_noon(restart=restart)
        scenario.day(3, version=2)
        scenario.close()
        published.append([each.model_dump_json() for each in scenario.published])
    assert published[0] == published[1]


def test_outcomes_that_arrive_after_the_promotion_are_matched() -> None:
    scenario = replaced_at_noon(labels=False)
    ids, at = [f"0-1-{i}" for i in range(1_000)], times(0, 1_000)
    known = np.arange(1_000) % 2.0
    scenario.add_outcomes(outcomes(list(ids), known, [each + timedelta(hours=1) for each in at]))
    scenario.state.settle()
    assert scenario.state.unmatched.outcomes.num_rows == 0
    scenario.day(3, version=2)
    scenario.close()
    first = scenario.all(WindowClosed)[0]
    assert (first.model_version, first.labelled_rows) == (1, 1_000)
    assert "roc_auc" in {each.statistic for each in first.statistics}


@pytest.mark.medium
def test_nothing_is_judged_of_a_version_that_serves_no_more() -> None:
    scenario = DailyScenario()
    scenario.promote(NEXT)
    for day in range(6):
        scenario.day(day, version=1, count=1_000, shift=3.0, skill=0.0)
        scenario.day(day, version=2, count=500)
        scenario.close()
    assert {type(each) for each in scenario.published} == {WindowClosed}
    assert scenario.state.evidence.known == {2}
    assert {each.no_verdict for each in scenario.all(WindowClosed) if each.model_version == 1} != {None}
    assert scenario.all(DriftDetected) == []


@pytest.mark.medium
def test_every_row_is_in_a_closed_window_however_often_versions_are_replaced() -> None:
    scenario = DailyScenario()
    for part in range(40):
        scenario.promote(ChampionRevision(part + 1, part + 1, CHAMPION.digest if part % 2 else NEXT.digest))
        scenario.day(part / 4, count=100, version=part + 1, length=0.25)
        scenario.close()
    scenario.day(12, count=2, version=40)
    scenario.close()
    assert sum(each.window.rows for each in scenario.all(WindowClosed)) == 4_000
    assert sum(each.labelled_rows for each in scenario.all(WindowClosed)) == 4_000
    assert len({each.finding_id for each in scenario.all(WindowClosed)}) == len(scenario.all(WindowClosed))
    assert scenario.state.history.digests.keys() <= {version for version, _ in scenario.state.windows}


def test_a_version_whose_promotion_was_not_seen_is_replaced_too() -> None:
    scenario = DailyScenario()
    scenario.day(0, version=2)
    scenario.promote(ChampionRevision(3, 3, NEXT.digest))
    scenario.day(2, version=3)
    scenario.close()
    assert windows(scenario) == [(2, 0, "replaced", 1_000, 1_000)]


def test_a_version_that_was_rolled_back_is_described_and_the_one_before_is_judged() -> None:
    scenario = DailyScenario()
    scenario.day(0, count=400, length=0.5)
    scenario.promote(NEXT)
    scenario.day(0.5, count=300, version=2, length=0.25)
    scenario.promote(ChampionRevision(3, 1, CHAMPION.digest))
    scenario.day(0.75, count=200, version=1, length=0.25)
    scenario.day(2, version=1)
    scenario.close()
    assert windows(scenario) == [(1, 0, "champion", 600, 600), (2, 0, "replaced", 300, 300)]


def test_the_status_has_the_open_windows_of_replaced_versions() -> None:
    scenario = replaced_at_noon()
    status = model_status(scenario.state, scenario.spec, scenario.reference)
    (version,) = status.replaced
    assert (version.version, version.windows, version.rows, version.labelled_rows) == (1, 2, 1_400, 0)
    assert version.closes == EPOCH + 2 * DAY + 2 * timedelta(hours=1)
    assert [each.rows for each in status.windows] == [300]
    scenario.day(3, version=2)
    scenario.close()
    assert model_status(scenario.state, scenario.spec, scenario.reference).replaced == ()


@pytest.mark.medium
def test_of_too_many_replaced_versions_the_oldest_close_at_once() -> None:
    scenario = DailyScenario()
    versions = range(1, MOST_REPLACED + 3)
    for version in versions:
        scenario.promote(ChampionRevision(version, version, NEXT.digest))
        scenario.day(version / 100, count=10, version=version, length=0.01)
        scenario.close()
    assert windows(scenario) == [(1, 0, "replaced", 10, 10)]
    scenario.day(0.9, count=10, version=1, length=0.01)
    scenario.restart()
    scenario.day(0.91, count=10, version=1, length=0.01)
    assert scenario.state.dropped.counts["late_rows"] == 20
    scenario.close()
    assert len(scenario.all(WindowClosed)) == 1
