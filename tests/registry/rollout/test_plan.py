"""The plan of a rollout: what the spec asks for, with stakes from the holdout that evaluated the candidate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rondo.contracts.spec.model import Rollout as RolloutSpec
from rondo.contracts.training_evidence import PairedHoldout
from rondo.registry.model.rollouts import Block, Minute, new_rollout
from rondo.registry.rollout.advance import advance
from rondo.registry.rollout.plan import plan_of

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def paired(**more: Any) -> PairedHoldout:
    known = {"rows": 9_000, "block_seconds": 60.0, "blocks": 90, "variance": 1e-6, "bound": 0.006, "difference": 0.0}
    return PairedHoldout(**known | {"margin": 0.02} | more)


@pytest.mark.parametrize(("margin", "bound"), [(0.02, 0.04), (0.0, 0.02), (0.001, 0.006), (0.7, 1.0)])
def test_differences_are_not_clipped_below_the_margin(margin: float, bound: float) -> None:
    stakes = plan_of(RolloutSpec(strategy="canary"), timedelta(0), paired(margin=margin)).stakes
    assert stakes.bound == pytest.approx(bound)


def test_a_much_worse_candidate_takes_no_step_where_block_means_hardly_vary() -> None:
    plan = plan_of(RolloutSpec(strategy="canary", min_answers=1), timedelta(0), paired())
    rollout = new_rollout("late", 2, 1, plan, BEGAN)
    rollout = rollout.with_minute(Minute(answers=10, candidate_scored=10, champion_scored=10))
    for _ in range(200):
        rollout = rollout.with_block(Block(rows=100, difference=0.5))
    taken = advance(rollout, BEGAN)
    assert (taken.action, taken.verdict) == ("roll_back", "worse")
