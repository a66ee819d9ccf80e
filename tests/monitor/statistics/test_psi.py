"""Population stability index, and its size by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile
from rondo.monitor.statistics.bin_pooling import Distributions, pool
from rondo.monitor.statistics.psi import PopulationStability, psi
from rondo.monitor.windows.window_counts import WindowCounts

from tests.chassis.profiles.counts import row_counts
from tests.monitor.builders import REFERENCE, predictions, rows, times
from tests.monitor.statistics.windows import reference_of, window

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
    pooled = pool(Distributions(observed, reference, np.ones(len(pairs), np.bool_)))
    assert (pooled.observed.sum(), pooled.reference.sum()) == (observed.sum(), reference.sum())
    sparse = (pooled.reference * observed.sum() < 5 * reference.sum())[pooled.exists]
    assert not sparse[:-1].any() or sparse.all()


def figures(shift: float, count: int = 2_000) -> dict[str, float]:
    rng = np.random.default_rng(3)
    table = predictions(rows(rng, count, shift), times(0, count), ["i"] * count)
    counts = WindowCounts.empty(REFERENCE, 1).with_rows(count, row_counts(REFERENCE.binning, table))
    return {s.feature or "": s.value for s in PopulationStability().of(counts, REFERENCE)}


def test_only_a_shifted_column_is_far_from_the_reference() -> None:
    before, after = figures(0.0), figures(1.5)
    assert before.keys() == after.keys() == {"x", "city", "output.score"}
    assert max(before.values()) < 0.02
    assert after["x"] > 1
    assert after["city"] < 0.02


@pytest.mark.parametrize(
    ("profile", "counts"),
    [
        # A constant 7 in training, and other values in serving: below, above, or both.
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [1_000, 0, 0, 0]),
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [0, 0, 1_000, 0]),
        (NumericProfile(edges=(7.0, 7.000001), counts=(0, 10_000, 0)), [50, 900, 50, 0]),
        # 97% zero and 3% one in training, and all one in serving.
        (NumericProfile(edges=(0.0, 0.000001), counts=(0, 9_700, 300)), [0, 0, 1_000, 0]),
        # A category that the reference does not list.
        (CategoricalProfile(counts={"a": 10_000}), [900, 100, 0]),
    ],
)
def test_values_that_the_reference_lacks_are_far_from_it(
    profile: NumericProfile | CategoricalProfile, counts: list[int]
) -> None:
    reference = reference_of({"f": profile})
    statistic = next(PopulationStability().of(window({"f": counts}, reference), reference))
    assert (statistic.feature, statistic.value > 0.25) == ("f", True)
