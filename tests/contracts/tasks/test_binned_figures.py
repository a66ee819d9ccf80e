"""Figures of the holdout by bin: pooled where rows are few, and their means on other rows."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.contracts.tasks.binary import expected_roc_auc
from rondo.contracts.tasks.binned_figures import BinnedFigures, isotonic


def figures(rows: list[int], means: list[float], variances: list[float] | None = None) -> BinnedFigures:
    found = BinnedFigures.of(
        np.array(rows), {"loss": np.array(means)}, {"loss": np.array(variances or [0.1] * len(rows))}
    )
    assert found
    return found


def test_bins_with_few_rows_are_pooled_with_their_neighbours() -> None:
    found = figures([5, 5, 0, 30, 3], [0.0, 1.0, 0.0, 0.4, 0.4])
    assert found.group.tolist() == [0, 0, 1, 1, 1]
    assert found.rows.tolist() == [10, 33]
    assert found.means["loss"].tolist() == pytest.approx([0.5, 0.4])
    assert found.variances["loss"][0] > found.variances["loss"][1]  # the mean differs between the two bins
    assert found.reference("loss") == pytest.approx((5 + 33 * 0.4) / 43)


def test_without_a_row_there_is_nothing_to_expect() -> None:
    assert BinnedFigures.of(np.zeros(3, np.int64), {}, {}) is None


def test_a_few_equal_rows_are_not_taken_as_certain() -> None:
    found = figures([20, 20], [0.0, 0.5], [0.0, 0.25])
    assert 0 < found.variances["loss"][0] < found.variances["loss"][1]


def test_a_change_is_that_of_the_mean_and_none_where_the_shares_are_the_same() -> None:
    found = figures([100, 100], [0.1, 0.3])
    same, worse = (found.change("loss", np.array(counts)) for counts in ([50, 50], [0, 100]))
    assert (same.value, worse.value) == (pytest.approx(0), pytest.approx(0.1))
    assert found.mean("loss", np.array([0, 100])).value == pytest.approx(0.3)
    correlated = found.change("loss", np.array([50, 50]), autocorrelation_rows=4.0)
    assert correlated.error == pytest.approx(2 * (same.error or 0))


def test_means_that_fall_are_pooled_by_their_rows() -> None:
    found = isotonic(np.array([0.1, 0.5, 0.2, 0.6, 0.0]), np.array([10, 10, 20, 10, 10]))
    assert found.tolist() == pytest.approx([0.1, 0.3, 0.3, 0.3, 0.3])


def test_the_roc_auc_needs_both_classes() -> None:
    holdout = np.array([9, 9])
    assert expected_roc_auc(np.array([0.0, 0.0]), holdout, holdout) is None
    certain = expected_roc_auc(np.array([0.0, 1.0]), holdout, holdout)
    assert certain
    assert certain.value == 1.0
    alike = expected_roc_auc(np.array([0.5]), np.array([9]), np.array([9]))
    assert alike
    assert alike.value == 0.5


def test_a_change_is_as_uncertain_as_the_holdout_where_it_had_such_rows() -> None:
    """The mean of a million rows with one prediction is as certain as that of the holdout's hundred such rows."""
    few, many = (figures([rows, rows], [0.1, 0.1]).change("loss", np.array([0, 1_000_000])) for rows in (100, 10_000))
    assert few.error == pytest.approx((2 * 0.5**2 * 0.1 / 100) ** 0.5, rel=0.01)
    assert (few.error or 0) > 9 * (many.error or 0) > 0
