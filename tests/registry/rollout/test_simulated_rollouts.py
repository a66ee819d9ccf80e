"""A few simulated rollouts of `make bench ONLY=rollouts`: an equal candidate passes, and a worse one does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.simulation.rollouts import EQUAL, WORSE_BY_3, Traffic, holdout, plan, play

TRAFFIC = Traffic(rate=1_000, step_minutes=60, delay=5, shocks=False)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "state", "verdict"), [(EQUAL, "watching", ""), (WORSE_BY_3, "rolled_back", "worse")])
def test_a_rollout_ends_as_its_evidence_says(noise: float, state: str, verdict: str) -> None:
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found.append(play(TRAFFIC, noise, plan(TRAFFIC, holdout(TRAFFIC, noise, 240, rng)), rng))
    # Of the equal ones some have too little evidence by the end of a step. Most are promoted.
    ended = [each.state for each in found]
    assert ended.count(state) >= (5 if verdict else 3)
    assert set(ended) <= {state, "asking"}
    assert not verdict or {each.verdict for each in found} == {verdict}
    assert all(each.answers < 25_000 for each in found)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "states"), [(EQUAL, {"watching", "asking"}), (WORSE_BY_3, {"rolled_back"})])
def test_requests_that_each_version_answered_show_a_worse_candidate(noise: float, states: set[str]) -> None:
    traffic, found = Traffic(rate=1_000, step_minutes=240, delay=0, shocks=False, by_answer=True), set()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        found.add(play(traffic, noise, plan(traffic, holdout(traffic, noise, 240, rng)), rng).state)
    assert found <= states
