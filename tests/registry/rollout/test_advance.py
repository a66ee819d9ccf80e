"""The decision from evidence and clock, for each strategy and verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rondo.registry.model.rollouts import Minute, Plan, Rollout, new_rollout
from rondo.registry.rollout import advance as deciding
from rondo.registry.rollout.advance import advance
from rondo.registry.rollout_evidence.betting import reaches, stakes
from rondo.registry.rollout_evidence.blocks import Block

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STAKES = stakes(0.06, 0.002, 0.0001)


def rollout(**plan: Any) -> Rollout:
    known: dict[str, Any] = {
        "strategy": "canary",
        "steps": (0.05, 0.25, 1.0),
        "step_length": HOUR,
        "max_wait": 4 * HOUR,
        "rollback_window": 2 * HOUR,
        "min_answers": 100,
        "stakes": STAKES,
        "block": timedelta(minutes=1),
        "disagreement": 0.03,
    }
    return new_rollout("flights", 2, 1, Plan(**known | plan), BEGAN)


def after(value: Rollout, difference: float, blocks: int = 600, answers: int = 200) -> Rollout:
    for number in range(blocks):
        value = value.with_block(Block(rows=10, difference=difference + (0.01 if number % 2 else -0.01)))
    return value.with_minute(Minute(answers=answers, candidate_scored=1_000, champion_scored=1_000))


def test_a_candidate_that_is_not_worse_takes_each_step_and_is_promoted() -> None:
    taken = advance(after(rollout(), 0.0), BEGAN)
    assert (taken.action, taken.verdict, taken.rollout.share) == ("step", "not_worse", 0.25)
    # Each step asks again: what passed the first one does not pass the second.
    assert advance(taken.rollout, BEGAN).action == "wait"
    promoted = advance(after(taken.rollout, 0.0), BEGAN + HOUR)
    assert (promoted.action, promoted.rollout.state, promoted.rollout.share) == ("promote", "watching", 1.0)


def test_a_better_candidate_is_named_so() -> None:
    assert advance(after(rollout(), -0.004), BEGAN).verdict == "better"


def test_too_few_answers_take_no_step() -> None:
    assert advance(after(rollout(), 0.0, answers=99), BEGAN).action == "wait"


def test_a_worse_candidate_goes_back_at_any_time_also_while_it_is_paused_or_watched() -> None:
    for state in ("running", "paused", "asking", "watching"):
        value = after(rollout(), 0.006, blocks=200).model_copy(update={"state": state})
        taken = advance(value, BEGAN)
        assert (taken.action, taken.verdict, taken.rollout.state) == ("roll_back", "worse", "rolled_back")
        assert advance(taken.rollout, BEGAN + 9 * HOUR).action == "wait"


def within_the_margin(value: Rollout, blocks: int = 10_000) -> Rollout:
    return after(value, 0.0006, blocks=blocks, answers=0)


@pytest.mark.medium
def test_a_candidate_within_the_margin_is_not_worse_while_something_else_is_awaited() -> None:
    found = within_the_margin(rollout())
    assert reaches(found.gathered.worse, found.plan.alpha_quality)
    for state in ("running", "paused", "asking", "watching"):
        assert advance(found.model_copy(update={"state": state}), BEGAN).action == "wait"
    # The next step asks again, and the evidence of the whole rollout stays.
    later = found.gathered.next_step(found.plan.stakes)
    assert advance(found.model_copy(update={"step": 1, "gathered": later}), BEGAN).action == "wait"


@pytest.mark.medium
def test_an_ab_test_ends_where_the_candidate_is_worse_by_less_than_the_margin() -> None:
    taken = advance(within_the_margin(rollout(strategy="ab", steps=(0.5,))), BEGAN)
    assert (taken.action, taken.verdict) == ("roll_back", "worse")


@pytest.mark.medium
def test_a_candidate_that_becomes_worse_after_long_goes_back() -> None:
    value = after(rollout(), 0.0, blocks=3_000, answers=0)
    value = after(value, 0.02, blocks=150, answers=0).model_copy(update={"state": "watching"})
    assert advance(value, BEGAN).verdict == "worse"


@pytest.mark.parametrize(
    ("minute", "minutes", "guard"),
    [
        (Minute(candidate_scored=50, champion_scored=50, candidate_errors=10), 1, "errors"),
        (Minute(candidate_scored=50, champion_scored=50, candidate_slow=True), 12, "slow"),
        (Minute(candidate_scored=50, champion_scored=50, disagreement=0.2), 9, "disagreement"),
    ],
)
def test_a_guard_goes_back_and_stops_a_step(minute: Minute, minutes: int, guard: str) -> None:
    value = after(rollout(), 0.0)
    for _ in range(minutes):
        value = value.with_minute(minute)
    taken = advance(value, BEGAN)
    assert (taken.action, taken.verdict) == ("roll_back", guard)


def test_a_key_that_both_fail_on_is_no_error_of_the_candidate() -> None:
    value = after(rollout(evidence="canary"), 0.0, answers=0)
    for _ in range(20):
        value = value.with_minute(
            Minute(candidate_scored=50, champion_scored=1_000, candidate_errors=10, champion_errors=10)
        )
    assert advance(value, BEGAN).action == "wait"


def test_errors_of_the_candidate_alone_count_where_it_is_given_some_keys() -> None:
    value = rollout(evidence="canary")
    value = value.with_minute(Minute(candidate_scored=50, champion_scored=1_000, candidate_errors=20))
    assert advance(value, BEGAN).verdict == "errors"


def test_slow_answers_of_one_minute_are_one() -> None:
    value = rollout()
    for _ in range(4):
        value = value.with_minute(Minute(candidate_scored=900, champion_scored=10, candidate_slow=True))
    assert advance(value, BEGAN).action == "wait"


@pytest.mark.parametrize(
    ("on_inconclusive", "hours", "action", "state"),
    [
        ("wait", 1, "wait", "running"),
        ("wait", 4, "wait", "asking"),
        ("a word of a later release", 1, "wait", "running"),
        ("ask", 1, "wait", "asking"),
        ("back", 1, "roll_back", "rolled_back"),
        ("back", 0, "wait", "running"),
    ],
)
def test_an_inconclusive_step_waits_asks_or_goes_back(
    on_inconclusive: str, hours: int, action: str, state: str
) -> None:
    taken = advance(rollout(on_inconclusive=on_inconclusive), BEGAN + hours * HOUR)
    assert (taken.action, taken.rollout.state) == (action, state)


@pytest.mark.parametrize("on_inconclusive", ["wait", "a word of a later release"])
def test_a_step_that_waits_is_inconclusive_once(on_inconclusive: str) -> None:
    value = rollout(on_inconclusive=on_inconclusive, outcome_delay=24 * HOUR)
    end = BEGAN + 25 * HOUR
    assert advance(value, end - timedelta(seconds=1)).verdict == ""
    found = advance(value, end)
    assert (found.action, found.verdict, found.rollout.state) == ("wait", "inconclusive", "running")
    assert (found.rollout.since, found.rollout.inconclusive_at) == (BEGAN, end)
    assert advance(found.rollout, end + HOUR).verdict == ""
    # Evidence that comes later decides, and the next step has a verdict of its own.
    taken = advance(after(found.rollout, 0.0), end + 2 * HOUR)
    assert (taken.action, taken.verdict) == ("step", "not_worse")
    assert advance(taken.rollout, end + 27 * HOUR).verdict == "inconclusive"
    # A person who resumes it begins its clock again.
    resumed = deciding.resume(deciding.pause(found.rollout, end), end + HOUR)
    assert advance(resumed, end + 26 * HOUR - timedelta(seconds=1)).verdict == ""
    assert advance(resumed, end + 26 * HOUR).verdict == "inconclusive"


def test_a_test_that_ends_at_a_date_is_not_inconclusive_before() -> None:
    value = rollout(strategy="ab", steps=(0.5,), until=BEGAN + 99 * HOUR)
    assert advance(value, BEGAN + 98 * HOUR).verdict == ""


@pytest.mark.parametrize(("on_inconclusive", "hours"), [("wait", 4), ("ask", 1), ("back", 1)])
def test_a_step_ends_without_evidence_after_its_outcomes_could_count(on_inconclusive: str, hours: int) -> None:
    value = rollout(on_inconclusive=on_inconclusive, outcome_delay=24 * HOUR)
    last = BEGAN + (24 + hours) * HOUR
    assert advance(value, last - timedelta(seconds=1)).rollout.state == "running"
    assert advance(value, last).verdict == "inconclusive"


def test_by_guards_alone_a_step_lasts_its_length() -> None:
    value = after(rollout(judged_by="guards"), 0.0, blocks=0)
    assert deciding.guarded_until(value) == BEGAN + HOUR
    assert deciding.guarded_until(rollout(judged_by="guards")) is None
    assert deciding.guarded_until(after(rollout(), 0.0, blocks=0)) is None
    assert advance(value, BEGAN + HOUR - timedelta(seconds=1)).action == "wait"
    taken = advance(value, BEGAN + HOUR)
    assert (taken.action, taken.verdict) == ("step", "no_guard")


@pytest.mark.parametrize(
    ("on_inconclusive", "hours", "state", "verdict"),
    [
        ("wait", 1, "running", "inconclusive"),
        ("wait", 4, "asking", "inconclusive"),
        ("ask", 1, "asking", "inconclusive"),
        ("back", 1, "rolled_back", "inconclusive"),
        ("back", 0, "running", ""),
    ],
)
def test_by_guards_alone_a_step_with_too_few_answers_is_inconclusive(
    on_inconclusive: str, hours: int, state: str, verdict: str
) -> None:
    value = after(rollout(judged_by="guards", on_inconclusive=on_inconclusive), 0.0, blocks=0, answers=99)
    taken = advance(value, BEGAN + hours * HOUR)
    assert (taken.rollout.state, taken.verdict) == (state, verdict)
    # With enough answers it takes the step.
    enough = advance(after(value, 0.0, blocks=0, answers=1), BEGAN + HOUR)
    assert (enough.action, enough.verdict) == ("step", "no_guard")


def test_blue_green_answers_nothing_until_it_takes_over_at_once() -> None:
    value = rollout(strategy="blue_green", steps=(0.0,))
    assert value.share == 0
    taken = advance(after(value, 0.0, answers=0), BEGAN)
    assert (taken.action, taken.rollout.share) == ("promote", 1.0)


def test_a_shadow_is_never_promoted_by_itself() -> None:
    taken = advance(after(rollout(strategy="shadow", steps=(0.0,)), 0.0, answers=0), BEGAN)
    assert (taken.action, taken.rollout.state, taken.verdict) == ("wait", "asking", "not_worse")
    assert deciding.promote_now(taken.rollout, BEGAN).action == "promote"


def test_an_ab_test_ends_where_the_candidate_is_better_and_not_where_it_is_equal() -> None:
    value = rollout(strategy="ab", steps=(0.5,))
    assert advance(after(value, 0.0), BEGAN).action == "wait"
    assert advance(after(value, -0.004), BEGAN).action == "promote"
    assert advance(value, BEGAN + 4 * HOUR).rollout.state == "asking"


@pytest.mark.parametrize(("on_inconclusive", "state"), [("wait", "asking"), ("ask", "asking"), ("back", "rolled_back")])
def test_an_ab_test_without_evidence_ends_at_its_date(on_inconclusive: str, state: str) -> None:
    value = rollout(strategy="ab", steps=(0.5,), until=BEGAN + 99 * HOUR, on_inconclusive=on_inconclusive)
    assert advance(value, BEGAN + 99 * HOUR - timedelta(seconds=1)).action == "wait"
    taken = advance(value, BEGAN + 99 * HOUR)
    assert (taken.rollout.state, taken.verdict, taken.rollout.share > 0) == (state, "inconclusive", state == "asking")
    # Evidence ends it before.
    assert advance(after(value, -0.004), BEGAN).action == "promote"
    assert advance(after(value, 0.006), BEGAN).action == "roll_back"


def test_an_ab_test_that_is_resumed_after_its_date_has_a_step_again() -> None:
    value = rollout(strategy="ab", steps=(0.5,), until=BEGAN + HOUR)
    resumed = deciding.resume(advance(value, BEGAN + HOUR).rollout, BEGAN + 2 * HOUR)
    assert advance(resumed, BEGAN + 6 * HOUR - timedelta(seconds=1)).action == "wait"
    assert advance(resumed, BEGAN + 6 * HOUR).rollout.state == "asking"


def test_the_rollback_window_ends() -> None:
    watched = deciding.promote_now(rollout(), BEGAN).rollout
    assert advance(watched, BEGAN + 2 * HOUR - timedelta(seconds=1)).action == "wait"
    taken = advance(watched, BEGAN + 2 * HOUR)
    assert (taken.action, taken.rollout.state) == ("finish", "promoted")


def test_the_rollback_window_lasts_until_its_outcomes_count() -> None:
    watched = deciding.promote_now(rollout(outcome_delay=24 * HOUR), BEGAN).rollout
    assert advance(watched, BEGAN + 26 * HOUR - timedelta(seconds=1)).action == "wait"
    assert advance(watched, BEGAN + 26 * HOUR).action == "finish"


def test_a_paused_rollout_takes_no_step_and_its_clock_starts_again() -> None:
    paused = deciding.pause(after(rollout(on_inconclusive="ask"), 0.0), BEGAN)
    assert advance(paused, BEGAN + 9 * HOUR).action == "wait"
    resumed = deciding.resume(paused, BEGAN + 9 * HOUR)
    assert advance(resumed, BEGAN + 9 * HOUR).action == "step"


def test_an_aborted_rollout_goes_back() -> None:
    taken = deciding.abort(rollout(), BEGAN)
    assert (taken.action, taken.rollout.state) == ("roll_back", "aborted")


def test_a_rollout_is_the_same_after_it_was_stored() -> None:
    value = after(rollout(), 0.0031)
    stored = Rollout.model_validate_json(value.model_dump_json())
    assert stored == value
    assert advance(stored, BEGAN) == advance(value, BEGAN)
