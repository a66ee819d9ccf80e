"""The figures that are named: the first by its share of the rate, further ones with less evidence, few falsely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.false_discoveries import evident_over_models, naming_threshold

LEVEL = 0.1
EVIDENCE = st.lists(st.floats(0, 12), min_size=1, max_size=40)


def named(evidence: np.ndarray, level: float = LEVEL) -> np.ndarray:
    return np.asarray(evidence >= naming_threshold(evidence, level))


def test_the_first_name_needs_its_share_of_the_level() -> None:
    for count in (1, 4, 54):
        none = np.full(count, np.log(count / LEVEL) - 1e-9)
        assert not named(none).any(), "all of them together are no reason: the rate of alarms would be exceeded"
        one = np.append(none[1:] - 5, np.log(count / LEVEL))
        assert named(one).tolist() == [False] * (count - 1) + [True]


def test_with_more_names_each_needs_less() -> None:
    harmonic = sum(1 / k for k in range(1, 21))
    evidence = np.zeros(20)
    evidence[0] = np.log(20 / LEVEL)
    evidence[1:10] = np.log(20 * harmonic / (10 * LEVEL))
    assert named(evidence).sum() == 10
    assert np.exp(naming_threshold(evidence, LEVEL)) == pytest.approx(20 * harmonic / (10 * LEVEL))
    evidence[9] -= 1e-9
    assert named(evidence).sum() == 1


@given(EVIDENCE, EVIDENCE)
def test_names_stay_while_evidence_grows(before: list[float], growth: list[float]) -> None:
    first = np.array(before)
    later = first + np.resize(np.array(growth), first.size)
    assert naming_threshold(later, LEVEL) <= naming_threshold(first, LEVEL)
    assert (named(later) >= named(first)).all()


def largest(rng: np.random.Generator, count: int, dependence: str) -> np.ndarray:
    """Return logarithms of the largest evidence of figures without a change, as large as Ville's inequality allows."""
    uniform = rng.uniform(size=count)
    if dependence == "equal":
        uniform[:] = uniform[0]
    if dependence == "opposite":
        uniform[1::2] = 1 - uniform[0]
    if dependence == "in turns":
        # In each turn only one figure has much evidence.
        uniform = (uniform[0] + rng.permutation(count) / count) % 1
    return -np.log(uniform)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("dependence", ["independent", "equal", "opposite", "in turns"])
@pytest.mark.medium
def test_alarms_without_a_change_and_false_names_are_as_rare_as_promised(dependence: str) -> None:
    rng, streams, count = np.random.default_rng(7), 6_000, 20
    alarms = sum(named(largest(rng, count, dependence)).any() for _ in range(streams))
    # Three standard errors above the level.
    assert alarms / streams <= LEVEL + 3 * np.sqrt(LEVEL / streams)
    for changed in (1, 8, 15):
        shares = []
        for _ in range(streams // 4):
            evidence = largest(rng, count, dependence)
            evidence[:changed] = rng.uniform(3, 8, changed)
            mine = named(evidence)
            shares.append(mine[changed:].sum() / max(1, mine.sum()))
        expected = 2 * LEVEL * (count - changed) / count
        assert np.mean(shares) <= expected + 3 * np.std(shares) / np.sqrt(len(shares))


@pytest.mark.medium
def test_many_small_changes_are_named_after_fewer_blocks_than_with_equal_shares() -> None:
    """20 figures change by .8 standard deviations of their blocks, in a group with a level of 1 / 300."""
    level, count, saved = 1 / 300, 20, []
    for seed in range(4):
        rng, needed = np.random.default_rng(seed), dict[str, int]()
        test = BlockTest.of(f"{seed}", rng.normal(size=(count, 200)), np.ones(count, np.bool_), one_sided=False)
        live, evidence = rng.normal(size=(count, 300)) + 0.8, np.zeros(count)
        while test.live < live.shape[1]:
            first = test.live
            test = test.with_blocks(live[:, first : first + test.until_look])
            evidence = np.maximum(evidence, test.evidence())
            if named(evidence, level).all():
                needed.setdefault("names", test.live)
            if (evidence >= np.log(count / level)).all():
                needed.setdefault("shares", test.live)
        assert needed["names"] <= needed["shares"]
        saved.append(1 - needed["names"] / needed["shares"])
    assert np.mean(saved) > 0.05


def test_a_model_among_many_needs_more_evidence_and_less_beside_others_that_have_changed() -> None:
    harmonic = sum(1 / k for k in range(1, 101))
    alone = np.full(100, -1.0)
    alone[3] = np.log(100 * harmonic) - 1e-9
    assert not evident_over_models(alone).any()
    alone[3] += 2e-9
    assert np.flatnonzero(evident_over_models(alone)).tolist() == [3]
    many = np.full(100, -1.0)
    many[:20] = np.log(100 * harmonic / 20) + 1e-9
    assert evident_over_models(many).sum() == 20
    assert evident_over_models(np.array([0.0])).tolist() == [True], "one model is evident where it alarms"
    assert evident_over_models(np.zeros(0)).shape == (0,)


@pytest.mark.medium
@pytest.mark.parametrize("dependence", ["independent", "equal", "opposite", "in turns"])
def test_among_the_models_that_are_evident_few_have_not_changed(dependence: str) -> None:
    rng, rate, shares = np.random.default_rng(4), 0.3, list[float]()
    for _ in range(4_000):
        # Without a change the largest evidence reaches r times that of an alarm with probability rate / r.
        strengths = largest(rng, 20, dependence) + np.log(rate)
        strengths[:8] = rng.uniform(0, 6, 8)
        found = evident_over_models(strengths)
        shares.append(float(found[8:].sum()) / max(int(found.sum()), 1))
    assert np.mean(shares) <= rate + 3 * np.std(shares) / len(shares) ** 0.5
