"""Wanted outcomes are published once, within the budget of a day, and only for predictions without an outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import LabelsWanted
from rondo.monitor.label_requests.periods import DAY, MOST_PERIODS, due_periods, last_end
from rondo.monitor.label_requests.requests import MOST_OF_AN_EVENT, request_labels
from rondo.monitor.label_requests.wanted_labels import wanted_labels

from tests.monitor.builders import EPOCH, MODEL, outcomes, times
from tests.monitor.builders import spec as spec_with
from tests.monitor.scenarios import NEXT, DailyScenario

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

HOUR = 3_600_000_000


@given(st.sampled_from([1_000_000, HOUR, 7 * HOUR, 12 * HOUR]), st.integers(1, 500), st.integers(0, 400 * DAY))
def test_the_periods_of_a_day_share_its_budget_and_leave_no_gap(window: int, budget: int, until: int) -> None:
    until = last_end(until, window)
    found = list(due_periods(until, until + min(DAY, 900 * window), window, budget))
    assert [each.start for each in found[1:]] == [each.end for each in found[:-1]]
    assert sum(each.budget for each in found) <= budget + 1
    assert {each.end - each.start for each in found} <= {window}


def test_a_day_of_a_longer_window_has_the_whole_budget() -> None:
    assert [each.budget for each in due_periods(10 * DAY, 13 * DAY, 7 * DAY, 40)] == [40, 40, 40]


def test_nothing_is_asked_of_the_time_before_the_first_look_and_of_a_gap_the_last_periods() -> None:
    assert list(due_periods(None, 5 * DAY, DAY, 40)) == []
    after_a_gap = list(due_periods(0, 10_000 * DAY, DAY, 40))
    assert (len(after_a_gap), after_a_gap[-1].end) == (MOST_PERIODS, 10_000 * DAY)


def with_budget(budget: int | None, **monitor: object) -> ModelSpec:
    return spec_with(labels=None if budget is None else {"budget_per_day": budget}, **monitor)


def asked(scenario: DailyScenario) -> list[LabelsWanted]:
    found = [each.event for each in request_labels(scenario.state)]
    assert all(isinstance(each, LabelsWanted) for each in found)
    return [each for each in found if isinstance(each, LabelsWanted)]


@pytest.mark.medium
def test_each_day_has_its_budget_over_a_restart_and_the_ids_are_those_of_the_command() -> None:
    scenario, published = DailyScenario(spec=with_budget(50)), list[LabelsWanted]()
    for day in range(4):
        scenario.day(day, labels=False)
        published += asked(scenario)
        scenario.restart()
        assert asked(scenario) == []
    assert [each.window.start for each in published] == [EPOCH + timedelta(days=day) for day in range(3)]
    assert {(each.model, each.model_version, each.window.rows, each.budget) for each in published} == {
        (MODEL, 1, 1_000, 50)
    }
    assert {len(each.wanted) for each in published} == {50}
    assert {each.probability for event in published for each in event.wanted} == {0.05}
    chosen = {each.id for event in published for each in event.wanted}
    shown = wanted_labels(scenario.state.snapshot(), scenario.reference, 50).wanted
    assert chosen == {each.id for each in shown if each.predicted_at < EPOCH + timedelta(days=3)}


def test_most_hours_have_nothing_of_a_budget_that_is_smaller_than_the_hours_of_a_day() -> None:
    scenario = DailyScenario(spec=with_budget(5, window="1h"))
    scenario.day(0, labels=False, length=0.01)
    asked(scenario)
    scenario.day(0.1, labels=False, length=0.9)
    scenario.day(1, labels=False, length=0.1)
    found = asked(scenario)
    assert [(each.budget, len(each.wanted)) for each in found] == [(1, 1)] * 5
    assert sum(each.window.rows for each in found) < 1_000


def test_an_outcome_that_is_there_already_is_not_wanted_and_no_other_takes_its_place() -> None:
    free, some = DailyScenario(spec=with_budget(50)), DailyScenario(spec=with_budget(50))
    for scenario in (free, some):
        scenario.day(0, labels=False)
        asked(scenario)
    everything = {each.id for each in wanted_labels(free.state.snapshot(), free.reference, 50).wanted}
    known = sorted(everything)[:20]
    some.add_outcomes(outcomes(list(known), np.ones(20), times(0.5, 20, 0.1)))
    for scenario in (free, some):
        scenario.day(1, labels=False)
    (first,), (second,) = asked(free), asked(some)
    assert {each.id for each in second.wanted} == {each.id for each in first.wanted} - set(known)


def test_another_version_is_asked_about_alone() -> None:
    scenario = DailyScenario(spec=with_budget(50))
    scenario.day(0, labels=False)
    asked(scenario)
    scenario.day(1, labels=False)
    asked(scenario)
    scenario.promote(NEXT)
    scenario.day(1.5, labels=False, version=2)
    scenario.day(2.5, labels=False, version=2)
    assert {each.model_version for each in asked(scenario)} == {2}


@pytest.mark.parametrize("budget", [None, 10])
def test_without_the_key_nothing_is_asked_and_with_it_from_then_on(budget: int | None) -> None:
    scenario = DailyScenario(spec=with_budget(None))
    for day in range(3):
        scenario.day(day, labels=False)
        assert asked(scenario) == []
    scenario.spec = with_budget(budget)
    scenario.state.apply_spec(scenario.spec)
    assert asked(scenario) == []
    for day in range(3, 5):
        scenario.day(day, labels=False)
    assert [each.window.start for each in asked(scenario)] == (
        [] if budget is None else [EPOCH + timedelta(days=d) for d in (2, 3)]
    )


def test_a_large_budget_is_in_several_events_with_ids_of_their_own() -> None:
    scenario = DailyScenario(spec=with_budget(2_500))
    scenario.day(0, labels=False, count=3_000)
    asked(scenario)
    scenario.day(1, labels=False, count=3_000)
    found = request_labels(scenario.state)
    assert [len(each.event.wanted) for each in found if isinstance(each.event, LabelsWanted)] == [
        MOST_OF_AN_EVENT, MOST_OF_AN_EVENT, 2_500 - 2 * MOST_OF_AN_EVENT,
    ]  # fmt: skip
    assert len({each.event_id for each in found}) == 3
