"""Bets: the capital is fair, does not depend on the order, and detects a worse candidate."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.registry.rollout_evidence import betting, disagreement, error_guard
from rondo.registry.rollout_evidence.betting import begin, bet, log_evidence, stakes

DIFFERENCES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


@given(DIFFERENCES, st.randoms())
def test_the_order_of_the_evidence_does_not_matter(differences: list[float], random: object) -> None:
    known = stakes(1.0, 0.01)
    shuffled = sorted(differences, key=lambda _: random.random())  # type: ignore[attr-defined]
    forwards, backwards = (_bet_all(known.worse, order) for order in (differences, shuffled))
    assert forwards == pytest.approx(backwards, abs=1e-9)


@pytest.mark.parametrize("variance", [None, 1e-5, 0.01, 10.0])
def test_a_fair_game_gives_a_mean_capital_of_one(variance: float | None) -> None:
    """The mean over all outcomes of four fair bets is exact. Only such a capital is a test of level alpha."""
    known = stakes(0.2, 0.004, variance)
    capitals = [math.exp(log_evidence(_bet_all(known.worse, path))) for path in product((-0.2, 0.2), repeat=4)]
    assert np.mean(capitals) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("variance", [None, 1e-6, 0.01])
@given(st.floats(0.001, 1), st.floats(0, 0.5))
def test_no_bet_can_lose_everything(variance: float | None, bound: float, margin: float) -> None:
    known = stakes(bound, margin, variance)
    for capitals, payoff in ((known.worse, -bound), (known.fit, -bound - margin), (known.better, -bound)):
        assert all(1 + each * payoff >= 0.149 for each in capitals)


def test_stakes_from_the_holdout_need_less_evidence_than_twelve() -> None:
    rng = np.random.default_rng(3)
    margin, deviation = 0.002, 0.01
    payoffs = margin - rng.normal(0, deviation, 2_000)
    needed = [_until(stakes(0.06, margin, variance).fit, payoffs) for variance in (deviation**2, None)]
    assert needed[0] < needed[1]


def test_the_evidence_is_the_mean_capital() -> None:
    assert log_evidence((0.0, math.log(3))) == pytest.approx(math.log(2))
    assert log_evidence(()) == 0
    assert betting.reaches((math.log(20),), 0.05)
    assert not betting.reaches((math.log(19.9),), 0.05)


@pytest.mark.parametrize("share", [0.5, 0.05, 0.9])
def test_an_error_by_the_share_is_no_evidence_and_a_rarer_one_loses(share: float) -> None:
    def expected(chance: float) -> float:
        shown = (error_guard.take(error_guard.begin(), 1, 0, share), error_guard.take(error_guard.begin(), 0, 1, share))
        values = [math.exp(log_evidence(each)) for each in shown]
        return chance * values[0] + (1 - chance) * values[1]

    assert expected(share) == pytest.approx(1, abs=1e-12)
    assert expected(share / 2) < 1


def test_errors_are_taken_in_any_order_and_at_any_share() -> None:
    once = error_guard.take(error_guard.take(error_guard.begin(), 2, 1, 0.5), 1, 3, 0.1)
    other = error_guard.take(error_guard.take(error_guard.begin(), 1, 3, 0.1), 2, 1, 0.5)
    assert once == pytest.approx(other)
    assert error_guard.take(once, 5, 0, 1.0) == once


def test_nine_errors_of_the_candidate_alone_are_a_verdict() -> None:
    assert betting.reaches(error_guard.take(error_guard.begin(), 9, 0, 0.5), 0.01)
    assert not betting.reaches(error_guard.take(error_guard.begin(), 5, 0, 0.5), 0.01)
    assert not betting.reaches(error_guard.take(error_guard.begin(), 500, 500, 0.5), 0.01)


@pytest.mark.medium
def test_equal_rates_of_errors_fire_at_the_stated_rate_at_most() -> None:
    rng = np.random.default_rng(5)
    fired = 0
    for _ in range(400):
        capitals = error_guard.begin()
        for candidate, champion in rng.poisson(2, (150, 2)).tolist():
            capitals = error_guard.take(capitals, candidate, champion, 0.5)
            if betting.reaches(capitals, 0.05):
                fired += 1
                break
    assert 0 < fired <= 0.05 * 400 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_disagreement_fires_beyond_what_the_holdout_had() -> None:
    usual, broken = disagreement.begin(), disagreement.begin()
    for _ in range(200):
        usual = disagreement.take(usual, 0.035, 0.03)
        broken = disagreement.take(broken, 0.075, 0.03)
    assert betting.reaches(broken, 0.005)
    assert log_evidence(usual) < 0


def _bet_all(known: tuple[float, ...], payoffs: object) -> tuple[float, ...]:
    capitals = begin(known)
    for payoff in payoffs:  # type: ignore[attr-defined]
        capitals = bet(capitals, known, payoff)
    return capitals


def _until(known: tuple[float, ...], payoffs: np.ndarray) -> int:
    capitals = begin(known)
    for count, payoff in enumerate(payoffs.tolist(), 1):
        capitals = bet(capitals, known, payoff)
        if betting.reaches(capitals, 0.05):
            return count
    return len(payoffs) + 1
