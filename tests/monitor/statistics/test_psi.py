"""Population stability index, and its size by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile
from rondo.monitor.statistics.bin_pooling import pool
from rondo.monitor.statistics.psi import PopulationStability, psi
from rondo.monitor.windows.window_counts import WindowCounts

from tests.monitor.builders import REFERENCE, predictions, rows, times
from tests.monitor.statistics.windows import RULE, reference_of, statistics, window

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=30)


def test_equal_shares_have_no_distance() -> None:
    counts = np.array([10, 20, 30])
    assert psi(counts, counts) == pytest.approx(0)


def test_a_distance_by_hand() -> None:
    # (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)
    assert psi(np.array([80_000, 20_000]), np.array([50_000, 50_000])) == pytest.approx(0.41589, abs=1e-4)


def test_without_rows_there_is_no_distance() -> None:
    nothing, something = np.zeros(3, np.int64), np.array([1, 2, 3])
    assert psi(nothing, something) == psi(something, nothing) == 0


@given(COUNTS)
def test_distances_are_never_negative(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert psi(observed, reference) >= 0


@given(COUNTS)
def test_pooling_loses_no_row_and_leaves_at_most_the_last_bin_sparse(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    pooled_observed, pooled_reference = pool(observed, reference)
    assert (pooled_observed.sum(), pooled_reference.sum()) == (observed.sum(), reference.sum())
    sparse = pooled_reference * observed.sum() < 5 * reference.sum()
    assert not sparse[:-1].any() or sparse.all()


def figures(shift: float, count: int = 2_000) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(3)
    table = predictions(rows(rng, count, shift), times(0, count), ["i"] * count)
    counts = WindowCounts.empty(REFERENCE.task, REFERENCE.binning.size).with_rows(count, REFERENCE.binning.count(table))
    return {s.feature or "": (s.value, s.threshold or 0.0) for s, _ in statistics(PopulationStability(), counts)}


def test_only_a_shifted_column_exceeds_its_threshold() -> None:
    found = figures(1.5)
    assert found["x"][0] > found["x"][1]
    assert found["city"][0] < found["city"][1]


def test_a_small_window_has_a_higher_threshold_than_the_spec() -> None:
    assert figures(0, 2_000)["x"][1] == RULE.drift == 0.25
    assert figures(0, 50)["x"][1] > 0.5


def test_the_p_value_is_that_of_the_chi_square() -> None:
    reference = reference_of({"x": NumericProfile(edges=(0.0,), counts=(500, 500))})
    observed = {"x": [500, 500, 0]}
    statistic, _ = next(statistics(PopulationStability(), window(observed, reference), reference))
    assert (statistic.value, statistic.p_value) == (pytest.approx(0), pytest.approx(1))


@pytest.mark.parametrize(
    ("profile", "counts"),
    [
        # A constant 7 in training, other values when served: below, above, or both.
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [1_000, 0, 0, 0]),
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [0, 0, 1_000, 0]),
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [50, 900, 50, 0]),
        # 97% zero and 3% one in training, all one when served.
        (NumericProfile(edges=(0.0, 0.000001), counts=(0, 9_700, 300)), [0, 0, 1_000, 0]),
        # A category that the reference does not list.
        (CategoricalProfile(counts={"a": 10_000}), [900, 100, 0]),
    ],
)
def test_values_that_the_reference_lacks_are_drift(
    profile: NumericProfile | CategoricalProfile, counts: list[int]
) -> None:
    reference = reference_of({"f": profile})
    statistic, exceeded = next(statistics(PopulationStability(), window({"f": counts}, reference), reference))
    assert (statistic.feature, exceeded) == ("f", True)


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
@pytest.mark.parametrize(
    "shares", [(0.9995, 0.0005), (0.9, 0.0999, 0.0001), (0.5, 0.499, 0.0005, 0.0005), (0.97, 0.03)]
)
def test_rare_values_raise_no_more_false_alarms_than_the_tail(rows: int, shares: tuple[float, ...]) -> None:
    """With the spec's own threshold at zero, so that only the noise bound decides."""
    rng, tail, tries = np.random.default_rng(7), 0.01, 1_000
    rule = RULE.model_copy(update={"drift": 0.0})
    exceeded = 0
    for _ in range(tries):
        trained = rng.multinomial(20_000, shares)
        reference = reference_of({"f": NumericProfile(edges=tuple(range(len(shares) - 1)), counts=tuple(trained))})
        counts = window({"f": [*rng.multinomial(rows, shares), 0]}, reference)
        exceeded += bool(next(PopulationStability().evaluate(counts, reference, rule, tail)).exceeded)
    # Three standard deviations above the stated rate.
    assert exceeded / tries <= tail + 3 * (tail * (1 - tail) / tries) ** 0.5
