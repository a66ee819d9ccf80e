"""Which models a training fits and scores, and whose rows it takes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from rondo.trainer.adaptation.comparison import (
    Course,
    Rows,
    ScoredChunk,
    State,
    Unconfirmed,
    choose,
    course,
    course_of_suspicion,
    due,
    reconsider,
    served,
    suspecting,
    taken,
)
from rondo.trainer.adaptation.holdout import latest
from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.adaptation.strategies import CHAMPION, WINDOW, Strategy

RNG = np.random.default_rng(3)
STATE = State(first=2_000)
# One row a second, labels known 100 seconds late.
ROWS = Rows(np.arange(10_000), 100, features=3, fades=True)


def losses(rows: int, mean: float) -> np.ndarray:
    return RNG.normal(mean, 0.01, rows)


def test_each_strategy_is_fitted_before_the_holdout_and_its_gap() -> None:
    planned = course(ROWS, STATE, fitted_until=8_899)
    assert (planned.held.fit, planned.held.start, planned.compared) == (8_901, 9_000, True)
    assert [each.name for each in planned.strategies] == ["since", "last 800", "last 3200", "fading"]


def test_a_window_that_has_just_moved_is_not_compared() -> None:
    planned = course(ROWS, replace(STATE, since=9_000), fitted_until=8_899)
    assert not planned.compared
    assert planned.strategies == (Strategy("since", 9_000),)
    assert planned.held.start == 9_667
    found = choose(ROWS, replace(STATE, since=9_000), planned, {"since": losses(333, 0.2)})
    assert (found.leader, found.comparisons) == ("since", ())
    assert found.state.record == ()


def test_the_strategy_that_loses_least_leads_and_the_record_is_kept() -> None:
    planned = course(ROWS, STATE, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in planned.strategies} | {"fading": losses(1_000, 0.2)}
    found = choose(ROWS, STATE, planned, scored)
    assert found.leader == found.state.leader == "fading"
    # Chunks of a tenth of the first training.
    assert [(each.since, each.until) for each in found.state.record] == [
        (9_000 + 200 * n, 9_199 + 200 * n) for n in range(5)
    ]
    assert taken(ROWS, found.state, 10_000) == Strategy("fading", 0, half_life=1_000)


def test_the_record_of_earlier_trainings_counts_unless_they_scored_the_same_rows() -> None:
    def chunk(since: int) -> ScoredChunk:
        scores = {"since": ChunkScore(200, 0.3, (0.3,) * 4), "fading": ChunkScore(200, 0.2, (0.2,) * 4)}
        return ScoredChunk(since, since + 199, scores)

    state = replace(STATE, record=(chunk(8_000), chunk(9_100)))
    planned = course(ROWS, state, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in planned.strategies}
    found = choose(ROWS, state, planned, scored)
    assert [each.since for each in found.state.record] == [8_000, 9_000, 9_200, 9_400, 9_600, 9_800]
    (fading,) = (each for each in found.comparisons if each.strategy == "fading")
    assert fading.chunks == 6


def test_a_champion_that_is_much_better_is_kept() -> None:
    planned = course(ROWS, STATE, fitted_until=8_899)
    scored = {each.name: losses(1_000, 0.3) for each in planned.strategies}
    assert choose(ROWS, STATE, planned, scored | {CHAMPION: losses(1_000, 0.2)}).keeps
    found = choose(ROWS, STATE, planned, scored | {CHAMPION: losses(1_000, 0.4)})
    assert not found.keeps
    assert found.leader != CHAMPION
    assert [each.advantage for each in found.comparisons if each.strategy == CHAMPION] == [
        pytest.approx(-0.1, abs=0.01)
    ]


def test_where_what_led_becomes_worse_a_change_is_suspected_unless_the_champion_does_well() -> None:
    scores = {"since": ChunkScore(200, 0.2, (0.19, 0.21, 0.21, 0.19))}
    state = replace(STATE, record=tuple(ScoredChunk(at, at + 199, scores) for at in (8_000, 8_200)))
    planned = course(ROWS, state, fitted_until=8_899)
    rising = np.concatenate([losses(500, 0.2), losses(500, 0.6)])
    scored = {each.name: rising for each in planned.strategies}
    found = choose(ROWS, state, planned, scored)
    assert found.worse_since == pytest.approx(9_500, abs=60)
    assert choose(ROWS, state, planned, scored | {CHAMPION: losses(1_000, 0.2)}).worse_since is None
    assert choose(ROWS, state, planned, {name: losses(1_000, 0.2) for name in scored}).worse_since is None


def test_a_leader_that_has_too_few_rows_now_is_replaced_by_the_window() -> None:
    few = replace(ROWS, times=np.arange(1_000))
    state = replace(STATE, leader="last 3200")
    planned = course(few, state, fitted_until=700)
    found = choose(few, state, planned, {each.name: losses(200, 0.3) for each in planned.strategies})
    assert found.leader == "since"
    assert taken(few, state, 1_000).name == "since"


def test_a_suspicion_compares_the_rows_since_the_change_with_the_window() -> None:
    state = replace(STATE, leader="fading", record=(ScoredChunk(0, 1, {}),))
    planned = course_of_suspicion(ROWS, state, since=9_500)
    assert planned.strategies == (Strategy("since", 9_500), Strategy(WINDOW, 0))
    assert (planned.held.fit, planned.held.start) == (9_800, 9_800)
    better = reconsider(ROWS, state, planned, {"since": losses(200, 0.2), WINDOW: losses(200, 0.3)})
    assert (better.leader, better.state) == ("since", State(2_000, since=9_500))
    worse = reconsider(ROWS, state, planned, {"since": losses(200, 0.3), WINDOW: losses(200, 0.2)})
    assert (worse.leader, worse.state) == (WINDOW, State(2_000, unconfirmed=Unconfirmed(9_500, rows=10_500)))
    assert worse.confirmation is not None
    assert not worse.confirmation.moves


def test_a_change_that_was_not_confirmed_is_due_again_when_the_rows_since_then_have_doubled() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=10_050))
    assert due(ROWS, STATE, None) is None
    assert due(replace(ROWS, times=np.arange(10_049)), state, None) is None
    more = replace(ROWS, times=np.arange(10_050))
    assert due(more, state, None) == 9_950
    assert due(more, state, 9_990) == 9_990, "a new one goes first"
    planned = course_of_suspicion(more, state, since=9_950)
    assert planned.change == 9_850, "200 rows at least"
    worse = reconsider(more, state, planned, {"since": losses(100, 0.3), WINDOW: losses(100, 0.2)})
    assert worse.state.unconfirmed == Unconfirmed(9_950, rows=10_150)
    better = reconsider(more, state, planned, {"since": losses(100, 0.2), WINDOW: losses(100, 0.3)})
    assert (better.state.since, better.state.unconfirmed) == (9_850, None)


def test_a_comparison_in_between_keeps_what_waits_for_more_rows() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=20_050))
    planned = course(ROWS, state, fitted_until=8_899)
    found = choose(ROWS, state, planned, {each.name: losses(1_000, 0.3) for each in planned.strategies})
    assert found.state.unconfirmed == state.unconfirmed


def test_a_change_that_could_not_be_looked_into_again_waits_for_twice_the_rows() -> None:
    state = replace(STATE, unconfirmed=Unconfirmed(9_950, rows=10_000))
    planned = course(ROWS, state, fitted_until=8_899)
    found = choose(ROWS, state, planned, {each.name: losses(1_000, 0.3) for each in planned.strategies})
    assert found.state.unconfirmed == Unconfirmed(9_950, rows=10_050)
    alone = course_of_suspicion(ROWS, state, since=9_950)
    alone = replace(alone, strategies=alone.strategies[1:])
    assert choose(ROWS, state, alone, {WINDOW: losses(25, 0.2)}).state.unconfirmed == Unconfirmed(9_950, rows=10_050)


def test_where_one_model_of_a_suspicion_fails_the_rows_of_the_other_are_taken() -> None:
    state = replace(STATE, leader="fading")
    planned = course_of_suspicion(ROWS, state, since=9_500)
    for name, first in (("since", 9_500), (WINDOW, 0)):
        alone = replace(planned, strategies=tuple(each for each in planned.strategies if each.name == name))
        found = choose(ROWS, state, alone, {name: losses(200, 0.2)})
        assert (found.leader, found.state) == (name, state), "nothing is confirmed"
        assert served(ROWS, alone, found) == Strategy("since", first)


def test_the_strategy_that_is_served_has_the_name_of_the_one_that_was_scored() -> None:
    # Before the holdout there are too few rows for the strategy that leads.
    state = replace(STATE, since=4_500, leader="last 3200")
    rows = replace(ROWS, times=np.arange(6_410))
    planned = Course(latest(rows.times, 0, 100), (taken(rows, state, 6_310),), compared=False)
    found = choose(rows, state, planned, {"since": losses(100, 0.2)})
    assert served(rows, planned, found) == Strategy("since", 4_500)
    reconsidered = course_of_suspicion(ROWS, STATE, since=9_500)
    stays = reconsider(ROWS, STATE, reconsidered, {"since": losses(200, 0.3), WINDOW: losses(200, 0.2)})
    assert served(ROWS, reconsidered, stays) == Strategy("since", 0)


def test_a_suspicion_of_a_change_before_the_window_does_not_widen_it() -> None:
    planned = course_of_suspicion(ROWS, replace(STATE, since=9_000), since=100)
    assert planned.strategies == (Strategy("since", 9_000), Strategy(WINDOW, 9_000))


def test_a_window_older_than_all_rows_has_all_rows() -> None:
    assert taken(ROWS, replace(STATE, since=-5), 10_000) == Strategy("since", 0)
    assert ROWS.first_since(20_000) == 9_999


# Labels with a level for each day of 40 rows.
DAYS = (RNG.random(10_000) < np.repeat(RNG.uniform(0, 1, 250), 40)).astype(np.float64)[None]


def test_a_young_change_waits_for_ten_blocks_of_dependent_rows() -> None:
    rows = replace(ROWS, labels=DAYS)
    dependent = rows.dependent(0, 9_900)
    assert 20 < dependent < 120
    assert due(rows, STATE, 9_900) is None
    known = suspecting(rows, STATE, 9_900)
    assert known.unconfirmed == Unconfirmed(9_900, rows=9_900 + math.ceil(10 * dependent))
    assert due(ROWS, STATE, 9_900) == 9_900, "of independent rows there are enough"
    assert suspecting(ROWS, STATE, 9_900) == STATE
    before = replace(known, unconfirmed=Unconfirmed(9_900, rows=10_100))
    assert suspecting(rows, before, 9_950) == before, "the one that waits is due before"
    planned = course(rows, known, fitted_until=8_899)
    found = choose(rows, known, planned, {each.name: losses(1_000, 0.3) for each in planned.strategies})
    assert found.state.unconfirmed == known.unconfirmed


def test_a_model_of_dependent_rows_is_confirmed_on_later_blocks() -> None:
    rows = replace(ROWS, labels=DAYS)
    planned, dependent = course_of_suspicion(rows, STATE, since=8_000), rows.dependent(0, 8_000)
    assert len(rows.times) - planned.held.start == max(200, math.ceil(5 * dependent))
    assert planned.held.gap == math.ceil(dependent)


def test_what_led_becomes_worse_and_the_change_is_young() -> None:
    scores = {"since": ChunkScore(200, 0.2, (0.19, 0.21, 0.21, 0.19))}
    state = replace(STATE, record=tuple(ScoredChunk(at, at + 199, scores) for at in (8_000, 8_200)))
    rows = replace(ROWS, labels=DAYS)
    planned = course(rows, state, fitted_until=8_899)
    rising = np.concatenate([losses(750, 0.2), losses(250, 0.6)])
    found = choose(rows, state, planned, {each.name: rising for each in planned.strategies})
    assert found.worse_since is None
    assert found.state.unconfirmed is not None
    assert found.state.unconfirmed.since == pytest.approx(9_750, abs=60)
    assert found.state.unconfirmed.rows > 10_000


def test_a_change_before_the_window_is_no_news() -> None:
    state = replace(STATE, since=9_000)
    assert due(ROWS, state, 100) is None
    assert suspecting(ROWS, state, 100) == state


def test_what_serves_has_as_many_rows_as_the_spec_asks_for() -> None:
    rows = replace(ROWS, floor=4_000)
    planned = course(rows, STATE, fitted_until=8_899)
    assert [each.name for each in planned.strategies] == ["since", "fading"]
    assert due(rows, STATE, 6_001) is None
    assert suspecting(rows, STATE, 6_001).unconfirmed == Unconfirmed(6_001, rows=10_001)
    assert due(rows, STATE, 6_000) == 6_000
    assert taken(rows, replace(STATE, since=9_000), 10_000) == Strategy("since", 6_000)
