"""Kolmogorov-Smirnov and total variation distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.statistics.distances import KOLMOGOROV_SMIRNOV, TOTAL_VARIATION, ks, total_variation

from tests.monitor.builders import REFERENCE
from tests.monitor.statistics.windows import window

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=30)


def test_equal_shares_have_no_distance() -> None:
    counts = np.array([10, 20, 30])
    assert ks(counts, counts * 7) == total_variation(counts, counts * 7) == pytest.approx(0)


def test_a_distance_by_hand() -> None:
    assert ks(np.array([8, 2]), np.array([5, 5])) == pytest.approx(0.3)
    assert total_variation(np.array([8, 0, 2]), np.array([5, 5, 0])) == pytest.approx(0.5)


def test_without_rows_there_is_no_distance() -> None:
    nothing, something = np.zeros(3, np.int64), np.array([1, 2, 3])
    assert ks(nothing, something) == total_variation(something, nothing) == 0


@given(COUNTS)
def test_distances_lie_between_0_and_1(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert 0 <= ks(observed, reference) <= 1 + 1e-9
    assert 0 <= total_variation(observed, reference) <= 1 + 1e-9


def test_each_type_of_column_has_its_distance() -> None:
    numeric, categorical = (list(each.of(window({}), REFERENCE)) for each in (KOLMOGOROV_SMIRNOV, TOTAL_VARIATION))
    assert [(s.feature, s.statistic, s.value) for s in numeric] == [("x", "ks", 0.0), ("output.score", "ks", 0.0)]
    assert [(s.feature, s.statistic, s.value) for s in categorical] == [("city", "total_variation", 0.0)]


def test_categories_that_the_reference_lacks_are_far_from_it() -> None:
    ((found),) = TOTAL_VARIATION.of(window({"city": [0, 0, 0, 1_000, 0]}), REFERENCE)
    assert found.value == 1.0
