"""Quantiles and intervals against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.detectors.probabilities import (
    chi_square_quantile,
    chi_square_tail,
    effect_size,
    least_rise,
    normal_quantile,
    normal_tail,
    wilson,
)


@pytest.mark.parametrize(
    ("tail", "degrees", "exact"),
    # From R's qchisq.
    [(0.05, 1, 3.841), (0.01, 9, 21.666), (0.001, 9, 27.877), (0.0001, 5, 25.745), (0.0001, 30, 67.633)],
)
def test_chi_square_quantiles(tail: float, degrees: int, exact: float) -> None:
    assert chi_square_quantile(tail, degrees) == pytest.approx(exact, abs=1e-3)


def test_normal_quantiles() -> None:
    assert normal_quantile(0.025) == pytest.approx(1.95996, abs=1e-5)


def test_the_wilson_interval() -> None:
    # Newcombe (1998), table I: 15 of 148.
    assert wilson(15, 148, 0.025) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 0, 0.025) == (0.0, 1.0)


def test_the_rise_of_a_share() -> None:
    # Newcombe (1998), table II, method 10: 56 of 70 against 48 of 80.
    assert least_rise(56, 70, 48, 80, 0.025) == pytest.approx(0.0524, abs=1e-4)
    assert least_rise(0, 0, 1, 2, 0.01) == -1.0


@given(st.integers(1, 10**6), st.data())
def test_the_same_share_on_both_sides_is_no_rise(rows: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, rows))
    assert least_rise(count, rows, count, rows, 0.01) <= 1e-12


def test_effect_sizes() -> None:
    assert effect_size(0.5, 0.5) == 0
    assert effect_size(1.0, 0.0) == pytest.approx(3.14159, abs=1e-4)


def test_tails_invert_quantiles() -> None:
    assert normal_tail(normal_quantile(0.001)) == pytest.approx(0.001)
    assert chi_square_tail(chi_square_quantile(0.001, 7), 7) == pytest.approx(0.001)


@pytest.mark.parametrize(("count", "rows"), [(0, 10), (3, 10), (10, 10), (1, 100_000)])
def test_the_wilson_interval_is_that_of_scipy(count: int, rows: int) -> None:
    from scipy import stats  # noqa: PLC0415 - it takes 1.5 s, and each worker of a run collects this file

    interval = stats.binomtest(count, rows).proportion_ci(0.98, method="wilson")
    assert wilson(count, rows, 0.01) == pytest.approx((interval.low, interval.high), abs=1e-12)
