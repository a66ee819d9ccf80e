"""The plan of a rollout from the spec, with stakes from the holdout that evaluated the candidate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.file import parse_spec
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import PairedHoldout, ReferenceProfile
from rondo.monitor.evidence.window_lengths import Density, window_length
from rondo.registry.model.rollouts import Minute, new_rollout
from rondo.registry.rollout.advance import advance
from rondo.registry.rollout.outcome_delay import outcome_delay
from rondo.registry.rollout.plan import plan_of
from rondo.registry.rollout_evidence.blocks import Block

from tests.registry.conftest import SPEC

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK, HOUR = timedelta(minutes=1), timedelta(hours=1)
TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)


def spec(rollout: str = "{strategy: canary}", window: str = "window: 2h", delay: str = "3h") -> ModelSpec:
    text = SPEC.replace("label: late}", f"label: late, label_delay: {delay}}}")
    return parse_spec(f"{text}rollout: {rollout}\nmonitor: {{{window}}}\n")


def reference(rows: int, seconds: float) -> ReferenceProfile:
    return ReferenceProfile(rows=rows, seconds=seconds, features={}, outputs={}, task=TASK, performance={})


def paired(**more: Any) -> PairedHoldout:
    known = {"rows": 9_000, "block_seconds": 60.0, "blocks": 90, "variance": 1e-6, "bound": 0.006, "difference": 0.0}
    return PairedHoldout(**known | {"margin": 0.02} | more)


@pytest.mark.parametrize(("margin", "bound"), [(0.02, 0.04), (0.0, 0.02), (0.001, 0.006), (0.7, 1.0)])
def test_differences_are_not_clipped_below_the_margin(margin: float, bound: float) -> None:
    stakes = plan_of(spec(), None, paired(margin=margin)).stakes
    assert stakes.bound == pytest.approx(bound)


def test_a_much_worse_candidate_takes_no_step_where_block_means_hardly_vary() -> None:
    plan = plan_of(spec("{strategy: canary, min_answers: 1}", delay="0s"), None, paired())
    rollout = new_rollout("late", 2, 1, plan, BEGAN)
    rollout = rollout.with_minute(Minute(answers=10, candidate_scored=10, champion_scored=10))
    for _ in range(200):
        rollout = rollout.with_block(Block(rows=100, difference=0.5))
    taken = advance(rollout, BEGAN)
    assert (taken.action, taken.verdict) == ("roll_back", "worse")


def test_outcomes_count_after_the_block_the_window_and_the_label_delay() -> None:
    plan = plan_of(spec(), None, paired())
    assert plan.outcome_delay == BLOCK + 5 * HOUR
    rollout = new_rollout("late", 2, 1, plan_of(spec("{strategy: canary, inconclusive: back}"), None, paired()), BEGAN)
    last = BEGAN + plan.outcome_delay + plan.step_length
    assert advance(rollout, last - timedelta(seconds=1)).action == "wait"
    assert advance(rollout, last).action == "roll_back"


@pytest.mark.parametrize(
    ("rollout", "steps"),
    [
        ("{strategy: canary}", (0.05, 0.25, 1.0)),
        ("{strategy: canary, steps: [10, 40]}", (0.1, 0.4)),
        ("{strategy: blue_green}", (0.0,)),
        ("{strategy: shadow}", (0.0,)),
        ("{strategy: ab}", (0.5,)),
        ("{strategy: ab, steps: [20]}", (0.2,)),
    ],
)
def test_the_steps_of_each_strategy(rollout: str, steps: tuple[float, ...]) -> None:
    plan = plan_of(spec(rollout, delay="0s"), None, paired())
    assert (plan.strategy, plan.steps) == (rollout.split()[1].strip(",}"), steps)


@pytest.mark.parametrize(
    ("rollout", "first"),
    [
        # Labels are due after three hours.
        ("{strategy: canary, step_length: 2h}", 0.0),
        ("{strategy: canary, step_length: 3h}", 0.05),
        ("{strategy: canary, step_length: 2h, judged_by: guards}", 0.05),
        ("{strategy: canary, step_length: 2h, outcome: depends_on_answer}", 0.05),
        ("{strategy: ab, step_length: 2h}", 0.5),
    ],
)
def test_a_canary_whose_outcomes_are_later_than_a_step_answers_nothing_at_first(rollout: str, first: float) -> None:
    plan = plan_of(spec(rollout, delay="3h"), None, paired())
    assert plan.steps[0] == first
    assert new_rollout("late", 2, 1, plan, BEGAN).share == first


def test_guards_wait_for_no_outcome() -> None:
    assert plan_of(spec("{strategy: canary, judged_by: guards}"), None, paired()).outcome_delay == timedelta(0)


@pytest.mark.medium
@given(rows=st.integers(0, 10**9), seconds=st.floats(0, 10**9))
def test_a_window_that_the_spec_does_not_give_is_bounded_from_above(rows: int, seconds: float) -> None:
    found = outcome_delay(spec(window="", delay="0s"), reference(rows, seconds), BLOCK) - BLOCK
    assert timedelta(microseconds=window_length(Density(rows, seconds))) <= found <= timedelta(days=28)


def test_without_a_reference_a_window_is_a_week() -> None:
    assert outcome_delay(spec(window="", delay="0s"), None, BLOCK) - BLOCK == timedelta(days=7)


ARMS = "{strategy: canary, outcome: depends_on_answer, steps: [5, 100]}"


def test_parts_of_equal_size_vary_by_the_losses_of_their_rows() -> None:
    known = paired(variance=1e-6, margin=0.02, loss_variance=0.1)
    plan = plan_of(spec(ARMS), None, known)
    # 100 rows in each block of the holdout, of which each part has 5.
    assert plan.variance == pytest.approx(1e-6 + 2 * 0.1 / 5)
    assert plan.stakes.bound == 1.0
    assert plan_of(spec(ARMS), None, paired()).variance == pytest.approx(1e-6 + 2 * 0.25 / 5)
    # Nothing is compared at a share of 0, so a canary answers from the beginning, however late outcomes come.
    assert plan.steps == (0.05, 1.0)


def test_a_tolerance_is_what_may_be_lost_of_the_skill() -> None:
    known = paired(margin=0.002)
    plan = plan_of(spec("{strategy: canary, tolerance: 0.5}"), None, known)
    assert (plan.stakes.margin, plan.stakes.tolerated) == (pytest.approx(0.01), pytest.approx(0.01))
    assert max(plan.stakes.worse) * (plan.stakes.bound + plan.stakes.tolerated) < 1
    without = plan_of(spec("{strategy: canary}"), None, known).stakes
    assert (without.margin, without.tolerated) == (0.002, 0.0)


@pytest.mark.parametrize(("difference", "action"), [(0.008, "step"), (0.012, "roll_back")])
def test_a_candidate_goes_back_where_it_is_worse_by_more_than_the_tolerance(difference: float, action: str) -> None:
    plan = plan_of(spec("{strategy: canary, tolerance: 0.5, min_answers: 1}", delay="0s"), None, paired(margin=0.002))
    rollout = new_rollout("late", 2, 1, plan, BEGAN).with_minute(Minute(answers=1, candidate_scored=1))
    for _ in range(400):
        rollout = rollout.with_block(Block(rows=100, difference=difference))
    assert advance(rollout, BEGAN).action == action
