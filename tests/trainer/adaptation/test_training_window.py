"""The models that a training fits and scores, and the strategy whose rows it takes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from rondo.trainer.adaptation.holdout import latest
from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.adaptation.strategies import CHAMPION, WINDOW, Strategy
from rondo.trainer.adaptation.training_window import (
    AdaptationState,
    FitPlan,
    LabelledRows,
    ScoredChunk,
    Unconfirmed,
    change_to_confirm,
    choose_leader,
    decide_window_start,
    leading_strategy,
    plan_comparison,
    plan_confirmation,
    strategy_for_all_rows,
    with_suspected_change,
)

RNG = np.random.default_rng(3)
STATE = AdaptationState(first=2_000)
# One row a second, labels known 100 seconds late.
ROWS = LabelledRows(np.arange(10_000), 100, features=3, fades=True)


def losses(rows: int, mean: float) -> np.ndarray:
    return RNG.normal(mean, 0.01, rows)


def test_each_strategy_is_fitted_before_the_holdout_and_its_gap() -> None:
    plan = plan_comparison(ROWS, STATE, fitted_until=8_899)
    assert (plan.held.fit, plan.held.start, plan.compared) == (8_901, 9_000, True)
    assert [each.name for each in plan.strategies] == ["since", "last 800", "last 3200", "fading"]


def test_a_window_that_has_just_moved_is_not_compared() -> None:
    plan = plan_comparison(ROWS, replace(STATE, since=9_000), fitted_until=8_899)
    assert not plan.compared
    assert plan.strategies == (Strategy("since", 9_000),)
    assert plan.held.start == 9_667
    found = choose_leader(ROWS, replace(STATE, since=9_000), plan, {"since": losses(333, 0.2)})
    assert (found.leader, found.comparisons) == ("since", ())
    assert found.state.record == ()


def test_the_strategy_that_loses_least_leads_and_the_record_is_kept() -> None:
    plan = plan_comparison(ROWS, STATE, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in plan.strategies} | {"fading": losses(1_000, 0.2)}
    found = choose_leader(ROWS, STATE, plan, scored)
    assert found.leader == found.state.leader == "fading"
    # Chunks of a tenth of the first training.
    assert [(each.since, each.until) for each in found.state.record] == [
        (9_000 + 200 * n, 9_199 + 200 * n) for n in range(5)
    ]
    assert leading_strategy(ROWS, found.state, 10_000) == Strategy("fading", 0, half_life=1_000)


def test_the_record_of_earlier_trainings_counts_unless_they_scored_the_same_rows() -> None:
    def chunk(since: int) -> ScoredChunk:
        scores = {"since": ChunkScore(200, 0.3, (0.3,) * 4), "fading": ChunkScore(200, 0.2, (0.2,) * 4)}
        return ScoredChunk(since, since + 199, scores)

    state = replace(STATE, record=(chunk(8_000), chunk(9_100)))
    plan = plan_comparison(ROWS, state, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in plan.strategies}
    found = choose_leader(ROWS, state, plan, scored)
    assert [each.since for each in found.state.record] == [8_000, 9_000, 9_200, 9_400, 9_600, 9_800]
    (fading,) = (each for each in found.comparisons if each.strategy == "fading")
    assert fading.chunks == 6


def test_a_champion_that_is_much_better_is_kept() -> None:
    plan = plan_comparison(ROWS, STATE, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in plan.strategies}
    assert choose_leader(ROWS, STATE, plan, scored | {CHAMPION: losses(1_000, 0.2)}).keeps
    found = choose_leader(ROWS, STATE, plan, scored | {CHAMPION: losses(1_000, 0.4)})
    assert not found.keeps
    assert found.leader != CHAMPION
    assert [each.advantage for each in found.comparisons if each.strategy == CHAMPION] == [
        pytest.approx(-0.1, abs=0.01)
    ]


def test_where_what_led_becomes_worse_a_change_is_suspected_unless_the_champion_does_well() -> None:
    scores = {"since": ChunkScore(200, 0.2, (0.19, 0.21, 0.21, 0.19))}
    state = replace(STATE, record=tuple(ScoredChunk(at, at + 199, scores) for at in (8_000, 8_200)))
    plan = plan_comparison(ROWS, state, fitted_until=8_899)
    rising = np.concatenate([losses(500, 0.2), losses(500, 0.6)])
    scored = {each.name: rising for each in plan.strategies}
    found = choose_leader(ROWS, state, plan, scored)
    assert found.worse_since == pytest.approx(9_500, abs=60)
    assert choose_leader(ROWS, state, plan, scored | {CHAMPION: losses(1_000, 0.2)}).worse_since is None
    assert choose_leader(ROWS, state, plan, {name: losses(1_000, 0.2) for name in scored}).worse_since is None


def test_a_leader_that_has_too_few_rows_now_is_replaced_by_the_window() -> None:
    few = replace(ROWS, times=np.arange(1_000))
    state = replace(STATE, leader="last 3200")
    plan = plan_comparison(few, state, fitted_until=700)
    found = choose_leader(few, state, plan, {each.name: losses(200, 0.3) for each in plan.strategies})
    assert found.leader == "since"
    assert leading_strategy(few, state, 1_000).name == "since"


def test_a_suspicion_compares_the_rows_since_the_change_with_the_window() -> None:
    state = replace(STATE, leader="fading", record=(ScoredChunk(0, 1, {}),))
    plan = plan_confirmation(ROWS, state, since=9_500)
    assert plan.strategies == (Strategy("since", 9_500), Strategy(WINDOW, 0))
    assert (plan.held.fit, plan.held.start) == (9_800, 9_800)
    better = decide_window_start(ROWS, state, plan, {"since": losses(200, 0.2), WINDOW: losses(200, 0.3)})
    assert (better.leader, better.state) == ("since", AdaptationState(2_000, since=9_500))
    worse = decide_window_start(ROWS, state, plan, {"since": losses(200, 0.3), WINDOW: losses(200, 0.2)})
    assert (worse.leader, worse.state) == (WINDOW, AdaptationState(2_000, unconfirmed=Unconfirmed(9_500, rows=10_500)))
    assert worse.confirmation is not None
    assert not worse.confirmation.moves


def test_a_change_that_was_not_confirmed_is_due_again_when_the_rows_since_then_have_doubled() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=10_050))
    assert change_to_confirm(ROWS, STATE, None) is None
    assert change_to_confirm(replace(ROWS, times=np.arange(10_049)), state, None) is None
    more = replace(ROWS, times=np.arange(10_050))
    assert change_to_confirm(more, state, None) == 9_950
    assert change_to_confirm(more, state, 9_990) == 9_990, "a new one goes first"
    plan = plan_confirmation(more, state, since=9_950)
    assert plan.change == 9_850, "200 rows at least"
    worse = decide_window_start(more, state, plan, {"since": losses(100, 0.3), WINDOW: losses(100, 0.2)})
    assert worse.state.unconfirmed == Unconfirmed(9_950, rows=10_150)
    better = decide_window_start(more, state, plan, {"since": losses(100, 0.2), WINDOW: losses(100, 0.3)})
    assert (better.state.since, better.state.unconfirmed) == (9_850, None)


def test_a_comparison_in_between_keeps_what_waits_for_more_rows() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=20_050))
    plan = plan_comparison(ROWS, state, fitted_until=8_899)
    found = choose_leader(ROWS, state, plan, {each.name: losses(1_000, 0.3) for each in plan.strategies})
    assert found.state.unconfirmed == state.unconfirmed


def test_a_change_that_could_not_be_looked_into_again_waits_for_twice_the_rows() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=10_000))
    plan = plan_comparison(ROWS, state, fitted_until=8_899)
    found = choose_leader(ROWS, state, plan, {each.name: losses(1_000, 0.3) for each in plan.strategies})
    assert found.state.unconfirmed == Unconfirmed(9_950, rows=10_050)
    alone = plan_confirmation(ROWS, state, since=9_950)
    alone = replace(alone, strategies=alone.strategies[1:])
    assert choose_leader(ROWS, state, alone, {WINDOW: losses(25, 0.2)}).state.unconfirmed == Unconfirmed(
        9_950, rows=10_050
    )


def test_where_one_model_of_a_suspicion_fails_the_rows_of_the_other_are_taken() -> None:
    state = replace(STATE, leader="fading")
    plan = plan_confirmation(ROWS, state, since=9_500)
    for name, first in (("since", 9_500), (WINDOW, 0)):
        alone = replace(plan, strategies=tuple(each for each in plan.strategies if each.name == name))
        found = choose_leader(ROWS, state, alone, {name: losses(200, 0.2)})
        assert (found.leader, found.state) == (name, state), "nothing is confirmed"
        assert strategy_for_all_rows(ROWS, alone, found) == Strategy("since", first)


def test_the_strategy_that_is_served_has_the_name_of_the_one_that_was_scored() -> None:
    # Before the holdout there are too few rows for the strategy that leads.
    state = replace(STATE, since=4_500, leader="last 3200")
    rows = replace(ROWS, times=np.arange(6_410))
    plan = FitPlan(latest(rows.times, 0, 100), (leading_strategy(rows, state, 6_310),), compared=False)
    found = choose_leader(rows, state, plan, {"since": losses(100, 0.2)})
    assert strategy_for_all_rows(rows, plan, found) == Strategy("since", 4_500)
    reconsidered = plan_confirmation(ROWS, STATE, since=9_500)
    stays = decide_window_start(ROWS, STATE, reconsidered, {"since": losses(200, 0.3), WINDOW: losses(200, 0.2)})
    assert strategy_for_all_rows(ROWS, reconsidered, stays) == Strategy("since", 0)


def test_a_suspicion_of_a_change_before_the_window_does_not_widen_it() -> None:
    plan = plan_confirmation(ROWS, replace(STATE, since=9_000), since=100)
    assert plan.strategies == (Strategy("since", 9_000), Strategy(WINDOW, 9_000))


def test_a_window_older_than_all_rows_has_all_rows() -> None:
    assert leading_strategy(ROWS, replace(STATE, since=-5), 10_000) == Strategy("since", 0)
    assert ROWS.first_since(20_000) == 9_999


# Labels with a level for each day of 40 rows.
DAYS = (RNG.random(10_000) < np.repeat(RNG.uniform(0, 1, 250), 40)).astype(np.float64)[None]


def test_a_young_change_waits_for_ten_blocks_of_dependent_rows() -> None:
    rows = replace(ROWS, labels=DAYS)
    dependent = rows.dependent(0, 9_900)
    assert 20 < dependent < 120
    assert change_to_confirm(rows, STATE, 9_900) is None
    known = with_suspected_change(rows, STATE, 9_900)
    assert known.unconfirmed == Unconfirmed(9_900, rows=9_900 + math.ceil(10 * dependent))
    assert change_to_confirm(ROWS, STATE, 9_900) == 9_900, "of independent rows there are enough"
    assert with_suspected_change(ROWS, STATE, 9_900) == STATE
    before = replace(known, unconfirmed=Unconfirmed(9_900, rows=10_100))
    assert with_suspected_change(rows, before, 9_950) == before, "the one that waits is due before"
    plan = plan_comparison(rows, known, fitted_until=8_899)
    found = choose_leader(rows, known, plan, {each.name: losses(1_000, 0.3) for each in plan.strategies})
    assert found.state.unconfirmed == known.unconfirmed


def test_a_model_of_dependent_rows_is_confirmed_on_later_blocks() -> None:
    rows = replace(ROWS, labels=DAYS)
    plan, dependent = plan_confirmation(rows, STATE, since=8_000), rows.dependent(0, 8_000)
    assert len(rows.times) - plan.held.start == max(200, math.ceil(5 * dependent))
    assert plan.held.gap == math.ceil(dependent)


def test_what_led_becomes_worse_and_the_change_is_young() -> None:
    scores = {"since": ChunkScore(200, 0.2, (0.19, 0.21, 0.21, 0.19))}
    state = replace(STATE, record=tuple(ScoredChunk(at, at + 199, scores) for at in (8_000, 8_200)))
    rows = replace(ROWS, labels=DAYS)
    plan = plan_comparison(rows, state, fitted_until=8_899)
    rising = np.concatenate([losses(750, 0.2), losses(250, 0.6)])
    found = choose_leader(rows, state, plan, {each.name: rising for each in plan.strategies})
    assert found.worse_since is None
    assert found.state.unconfirmed is not None
    assert found.state.unconfirmed.since == pytest.approx(9_750, abs=60)
    assert found.state.unconfirmed.rows > 10_000


def test_a_change_before_the_window_is_no_news() -> None:
    state = replace(STATE, since=9_000)
    assert change_to_confirm(ROWS, state, 100) is None
    assert with_suspected_change(ROWS, state, 100) == state


def test_what_serves_has_as_many_rows_as_the_spec_asks_for() -> None:
    rows = replace(ROWS, floor=4_000)
    plan = plan_comparison(rows, STATE, fitted_until=8_899)
    assert [each.name for each in plan.strategies] == ["since", "fading"]
    assert change_to_confirm(rows, STATE, 6_001) is None
    assert with_suspected_change(rows, STATE, 6_001).unconfirmed == Unconfirmed(6_001, rows=10_001)
    assert change_to_confirm(rows, STATE, 6_000) == 6_000
    assert leading_strategy(rows, replace(STATE, since=9_000), 10_000) == Strategy("since", 6_000)
