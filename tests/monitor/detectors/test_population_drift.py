"""Distances, and their size by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.detectors import population_drift

from tests.monitor.builders import REFERENCE, predictions, rows, times

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=30)


def test_equal_shares_have_no_distance() -> None:
    counts = np.array([10, 20, 30])
    assert population_drift.psi(counts, counts * 1) == pytest.approx(0)
    assert population_drift.ks(counts, counts * 7) == pytest.approx(0)
    assert population_drift.total_variation(counts, counts * 7) == pytest.approx(0)


def test_a_distance_by_hand() -> None:
    # (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)
    assert population_drift.psi(np.array([80_000, 20_000]), np.array([50_000, 50_000])) == pytest.approx(
        0.41589, abs=1e-4
    )
    assert population_drift.ks(np.array([8, 2]), np.array([5, 5])) == pytest.approx(0.3)


def test_no_rows_are_no_drift() -> None:
    nothing, something = np.zeros(3, np.int64), np.array([1, 2, 3])
    assert [
        population_drift.psi(nothing, something),
        population_drift.ks(nothing, something),
        population_drift.noise(nothing, something, 0.01),
    ] == [
        0,
        0,
        0,
    ]
    assert population_drift.total_variation(something, nothing) == 0


@given(COUNTS)
def test_pooling_loses_no_row_and_leaves_at_most_the_last_bin_sparse(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    pooled_observed, pooled_reference = population_drift.pool(observed, reference)
    assert (pooled_observed.sum(), pooled_reference.sum()) == (observed.sum(), reference.sum())
    if observed.sum() and reference.sum() and pooled_observed.size > 1 and pooled_observed.size < observed.size:
        assert (pooled_reference * observed.sum() >= 5 * reference.sum()).all()


@given(COUNTS)
def test_distances_are_never_negative(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert population_drift.psi(observed, reference) >= 0
    assert 0 <= population_drift.ks(observed, reference) <= 1 + 1e-9


def figures(shift: float, count: int = 2_000, threshold: float = 0.25) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(3)
    table = predictions(rows(rng, count, shift), times(0, count), ["i"] * count)
    counts = REFERENCE.binning.count(table)
    compared = [
        statistic
        for column in REFERENCE.binning.columns
        for statistic in population_drift.compare(column, counts, REFERENCE.counts, threshold, 0.001)
    ]
    return {s.feature or "": (s.value, s.threshold or 0.0) for s in compared if s.statistic == "psi"}


def test_only_a_shifted_column_exceeds_its_threshold() -> None:
    found = figures(1.5)
    assert found["x"][0] > found["x"][1]
    assert found["city"][0] < found["city"][1]


def test_a_column_has_a_judged_index_and_a_distance_of_its_type() -> None:
    counts = REFERENCE.counts
    named = {
        column.name: [s.statistic for s in population_drift.compare(column, counts, counts, 0.25, 0.001)]
        for column in REFERENCE.binning.columns
    }
    assert (named["x"], named["city"]) == (["psi", "ks"], ["psi", "total_variation"])


def test_the_p_value_is_that_of_the_chi_square() -> None:
    counts = np.array([500, 500])
    assert population_drift.p_value(counts, counts, 0.0) == pytest.approx(1)
    # PSI = (1/1000 + 1/1000) x 3.841, the 95% quantile with one degree of freedom.
    assert population_drift.p_value(counts, counts, 0.002 * 3.841) == pytest.approx(0.05, abs=1e-4)
    assert population_drift.p_value(np.array([7]), np.array([7]), 0.0) is None


def test_a_small_window_has_a_higher_threshold_than_the_spec() -> None:
    assert figures(0, 2_000)["x"][1] == 0.25
    assert figures(0, 50)["x"][1] > 0.5
