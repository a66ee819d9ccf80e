"""A few simulated rollouts of `make bench ONLY=rollouts`: an equal candidate passes, and a worse one does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.simulation.rollouts import EQUAL, WORSE_BY_3, Traffic, holdout, plan, play

TRAFFIC = Traffic(rate=1_000, step_minutes=60, delay=5, shocks=False)


@pytest.mark.parametrize(("noise", "state", "verdict"), [(EQUAL, "watching", ""), (WORSE_BY_3, "rolled_back", "worse")])
@pytest.mark.medium
def test_a_rollout_ends_as_its_evidence_says(noise: float, state: str, verdict: str) -> None:
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found.append(play(TRAFFIC, noise, plan(TRAFFIC, holdout(TRAFFIC, noise, 240, rng)), rng))
    assert [each.state for each in found] == [state] * 5
    assert not verdict or {each.verdict for each in found} == {verdict}
    assert all(each.answers < 20_000 for each in found)
