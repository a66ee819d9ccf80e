"""The bets compared with integrals over the prior and the Bayes factor of a t test.

The fast sums compared with the bets.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rondo.monitor.evidence.block_test import BlockTest
from rondo.monitor.evidence.likelihood_ratios import Split, normal_bets, start_weights, t_bets
from scipy import integrate, stats

COMPONENTS = 6


@pytest.mark.medium
@pytest.mark.parametrize("one_sided", [False, True])
def test_the_normal_bet_is_the_likelihood_ratio_averaged_over_the_prior(*, one_sided: bool) -> None:
    total, blocks = 5.5, 9
    expected = 0.0
    for width in (0.1, 1.0):
        prior = stats.norm(scale=np.sqrt(width)).pdf

        def ratio(shift: float, prior: stats.rv_continuous = prior) -> float:
            return float(np.exp(shift * total - blocks * shift**2 / 2) * prior(shift))

        low = 0.0 if one_sided else -20.0
        expected += integrate.quad(ratio, low, 20.0)[0] * (2 if one_sided else 1) / 2
    [[found]] = normal_bets(np.array([[total]]), np.array([blocks]), one_sided=one_sided)
    assert np.exp(found) == pytest.approx(expected, rel=1e-6)


def test_the_t_bet_is_the_bayes_factor_of_the_t_statistic() -> None:
    rng = np.random.default_rng(3)
    first, last = rng.normal(0.0, 2.0, 12), rng.normal(1.5, 2.0, 7)
    statistic, freedom = stats.ttest_ind(last, first).statistic, 12 + 7 - 2
    expected = 0.0
    for width in (0.1, 1.0, 10.0):
        grown = 1 + width * 12 * 7 / 19
        # Rouder et al., "Bayesian t tests for accepting and rejecting the null hypothesis" (2009), for a fixed width.
        with_effect = (1 + statistic**2 / (grown * freedom)) ** (-(freedom + 1) / 2)
        expected += grown**-0.5 * with_effect / (1 + statistic**2 / freedom) ** (-(freedom + 1) / 2) / 3
    together = np.concatenate((first, last))
    means, squares = (np.array([[first.mean()]]), np.array([[last.mean()]])), np.array([[together.var() * 19]])
    [[found]] = t_bets(Split(*means, squares, np.array([12]), np.array([7])), one_sided=False)
    assert np.exp(found) == pytest.approx(expected, rel=1e-9)


def test_a_one_sided_t_bet_gains_from_a_rise_alone() -> None:
    def bet(difference: float, *, one_sided: bool) -> float:
        means = np.array([[0.0]]), np.array([[difference]])
        [[found]] = t_bets(Split(*means, np.array([[30.0]]), np.array([20]), np.array([10])), one_sided=one_sided)
        return float(found)

    assert bet(1.0, one_sided=True) == pytest.approx(bet(1.0, one_sided=False) + np.log(2), abs=0.05)
    assert bet(-1.0, one_sided=True) < -1.5
    both = np.exp(bet(1.0, one_sided=True)) + np.exp(bet(-1.0, one_sided=True))
    assert both / 2 == pytest.approx(np.exp(bet(1.0, one_sided=False)))


@pytest.mark.medium
def test_the_weights_of_all_starts_add_to_at_most_one() -> None:
    starts = np.arange(1, 3_000_001)
    beyond = 0.5 / 1.07 / np.log(3_000_000)  # the integral bounds the remaining terms of the sum
    assert 0.95 < np.exp(start_weights(starts)).sum() + beyond <= 1.0


def test_few_blocks_are_no_bet_on_means() -> None:
    split = Split(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)), np.array([1]), np.array([1]))
    two = t_bets(split, one_sided=False)
    assert two.tolist() == [[0.0]]


def blocks(rng: np.random.Generator, count: int, shift: float = 0.0) -> np.ndarray:
    """Return means whose last two components are constant, or nearly so."""
    found = np.round(rng.standard_normal((COMPONENTS, count)) + shift, 6)
    found[-1], found[-2] = 0.25, np.where(rng.random(count) < 0.1, 1e-6, 0.0)
    return found


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    reference=st.integers(5, 200),
    parts=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    shift=st.sampled_from([0.0, 0.3, 3.0, 1e5]),
    one_sided=st.booleans(),
)
def test_no_component_with_more_evidence_is_left_out(
    *, seed: int, reference: int, parts: list[int], shift: float, one_sided: bool
) -> None:
    rng = np.random.default_rng(seed)
    normal = rng.random(COMPONENTS) < 0.7
    test = BlockTest.of("seed", blocks(rng, reference), normal, one_sided=one_sided)
    least = np.zeros(COMPONENTS)
    for number, part in enumerate(parts):
        test = test.with_blocks(blocks(rng, part, shift if number else 0.0))
        evidence = test.evidence()
        which = np.flatnonzero(test.may_exceed(least, [test.live]))
        assert set(np.flatnonzero(evidence > least)) <= set(which.tolist())
        assert np.array_equal(test.evidence(which), evidence[which])
        least = np.maximum(least, evidence)
        assert set(np.flatnonzero(evidence >= least)) <= set(np.flatnonzero(test.may_exceed(least, [test.live])))


@pytest.mark.parametrize("one_sided", [False, True])
def test_without_a_change_most_components_are_left_out(*, one_sided: bool) -> None:
    rng = np.random.default_rng(1)
    test = BlockTest.of("seed", rng.standard_normal((50, 500)), np.ones(50, np.bool_), one_sided=one_sided)
    test = test.with_blocks(rng.standard_normal((50, 300)))
    assert test.may_exceed(np.zeros(50), [300]).sum() < 10
    assert not test.may_exceed(test.evidence() + 0.01, [300]).any()
