"""Blocks become longer if the live rows show that they have to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.registry.model.rollouts import Plan, Rollout, new_rollout
from rondo.registry.rollout_evidence import live_blocks
from rondo.registry.rollout_evidence.betting import log_evidence, stakes
from rondo.registry.rollout_evidence.blocks import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEGAN, MINUTE, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1), 24 * 60


def rollout() -> Rollout:
    plan = Plan(
        strategy="canary", steps=(0.05, 1.0), step_length=60 * MINUTE, max_wait=60 * MINUTE,
        rollback_window=60 * MINUTE, stakes=stakes(0.06, 0.002, 0.0001), block=MINUTE, outcome_delay=5 * MINUTE,
    )  # fmt: skip
    return new_rollout("flights", 2, 1, plan, BEGAN)


def minutes(days: int, shared: float, seed: int = 1) -> NDArray[np.float64]:
    """Return differences by minute. The minutes of an hour have a common part with a deviation of `shared`."""
    rng = np.random.default_rng(seed)
    found: NDArray[np.float64] = rng.normal(0, 0.01, days * DAY) + np.repeat(rng.normal(0, shared, days * 24), 60)
    return found


def fed(value: Rollout, differences: NDArray[np.float64], first: int = 0) -> Rollout:
    """Return the rollout after the evidence of complete hours."""
    for hour in range(len(differences) // 60):
        parts = [
            (BEGAN + (first + n) * MINUTE, Block(rows=20, difference=float(differences[n])))
            for n in range(60 * hour, 60 * hour + 60)
        ]
        value = value.with_differences(parts, BEGAN + (first + 60 * hour + 60) * MINUTE)
    return value


@pytest.mark.medium
def test_blocks_of_minutes_that_are_independent_stay() -> None:
    value = fed(rollout(), minutes(3, 0.0))
    assert (value.plan, value.gathered.moments.count) == (rollout().plan, 3 * DAY)


@pytest.mark.medium
def test_blocks_become_as_long_as_what_their_rows_share() -> None:
    before = rollout()
    value = fed(before, minutes(3, 0.005))
    assert value.plan.block >= 60 * MINUTE
    assert value.plan.outcome_delay == before.plan.outcome_delay + value.plan.block - MINUTE
    assert value.plan.stakes.margin == before.plan.stakes.margin
    assert 0 < value.gathered.moments.count < 3 * 24
    stored = Rollout.model_validate_json(value.model_dump_json())
    assert stored == value
    assert fed(stored, minutes(1, 0.005, 2), 3 * DAY) == fed(value, minutes(1, 0.005, 2), 3 * DAY)


@pytest.mark.parametrize("difference", [0.03, -0.03])
def test_what_shorter_blocks_have_gained_does_not_count(difference: float) -> None:
    value = rollout()
    for _ in range(40):
        value = value.with_block(Block(rows=20, difference=difference))
    assert max(log_evidence(value.gathered.worse), log_evidence(value.gathered.fit)) > 1
    longer = live_blocks.BlocksOfLength(seconds=3_600.0, moments=value.gathered.moments)
    after = value.with_longer_blocks(longer, BEGAN + 30 * MINUTE)
    for name in ("worse", "fit", "better", "fit_overall"):
        assert log_evidence(getattr(after.gathered, name)) == pytest.approx(
            min(0.0, log_evidence(getattr(value.gathered, name)))
        )
    # The hour that has begun does not count: its beginning is what the length was chosen by.
    parts = [(BEGAN + n * MINUTE, Block(rows=1, difference=0.0)) for n in (40, 59, 60, 119)]
    assert after.with_differences(parts, BEGAN + 120 * MINUTE).gathered.outcomes == value.gathered.outcomes + 2


@pytest.mark.medium
def test_a_rollout_of_an_earlier_release_goes_on() -> None:
    value = fed(rollout(), minutes(1, 0.0))
    known = value.model_dump(mode="json")
    del known["gathered"]["live"], known["gathered"]["first_block"]
    later = fed(Rollout.model_validate(known), minutes(1, 0.0, 3), DAY)
    assert later.gathered.moments.count == 2 * DAY
