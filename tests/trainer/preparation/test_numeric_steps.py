"""Imputation and scaling: figures of the finite training values, and the same arithmetic in the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rondo.trainer.preparation import impute, scale
from rondo.trainer.preparation.impute import NothingToImputeError
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from tests.trainer.preparation.graphs import run

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rondo.trainer.preparation.impute import Fill
    from rondo.trainer.preparation.scale import Scale

NAN, INF = np.float32("nan"), np.float32("inf")
NAMES = ("a", "b", "c")
ROWS = np.array([[1, 5, NAN], [NAN, 7, 3], [4, INF, 3], [10, NAN, NAN]], dtype=np.float32)
matrices = arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(width=32))


def applied(step: Fill | Scale, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the result of a step for rows. Training and graph must agree on it."""
    expected = step.apply(matrix)
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(run(step.onnx_nodes("matrix", "output"), {"matrix": matrix}), expected)
    return expected


def test_a_missing_number_is_what_the_spec_says() -> None:
    fill = impute.fit(NAMES, ROWS, {"a": "median", "b": "mean", "c": -1})
    expected = np.array([[1, 5, -1], [4, 7, 3], [4, INF, 3], [10, 6, -1]], dtype=np.float32)
    np.testing.assert_array_equal(applied(fill, ROWS), expected)


def test_a_column_that_is_not_named_stays_missing() -> None:
    assert np.isnan(applied(impute.fit(NAMES, ROWS, {"a": 0}), ROWS)).sum(axis=0).tolist() == [0, 1, 2]


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("values", [[NAN, NAN], [INF, NAN]])
def test_a_column_without_values_has_no_statistic(statistic: str, values: list[np.float32]) -> None:
    with pytest.raises(NothingToImputeError) as refusal:
        impute.fit(("a",), np.array(values, dtype=np.float32).reshape(-1, 1), {"a": statistic})
    assert (refusal.value.code, refusal.value.column, refusal.value.statistic) == ("nothing_to_impute", "a", statistic)
    for part in ("is missing in every training row, so it has no", ": publish rows that have it, write a number in"):
        assert part in str(refusal.value)


def test_large_values_have_a_mean() -> None:
    rows = np.full((3, 1), np.finfo(np.float32).max, dtype=np.float32)
    assert impute.fit(("a",), rows, {"a": "mean"}).values == np.finfo(np.float32).max


def test_scales_are_those_of_scikit_learn() -> None:
    rows = np.random.default_rng(1).normal(50, 7, size=(500, 3)).astype(np.float32)
    scaled = applied(scale.fit(NAMES, rows, {"a": "standard", "c": "minmax"}), rows)
    np.testing.assert_allclose(scaled[:, :1], StandardScaler().fit_transform(rows[:, :1]), atol=1e-5)
    np.testing.assert_array_equal(scaled[:, 1], rows[:, 1])
    np.testing.assert_allclose(scaled[:, 2:], MinMaxScaler().fit_transform(rows[:, 2:]), atol=1e-5)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_missing_and_infinite_values_do_not_count(kind: str) -> None:
    finite = np.array([[1], [2], [6]], dtype=np.float32)
    strange = np.vstack([finite, [[NAN], [INF], [-INF]]]).astype(np.float32)
    one, other = (scale.fit(("a",), rows, {"a": kind}) for rows in (finite, strange))
    assert (one.offsets, one.factors) == (other.offsets, other.factors)
    np.testing.assert_array_equal(np.isnan(applied(other, strange)), np.isnan(strange))


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("value", [0.0, 7.0, 1e-45, 3e38])
def test_a_column_of_one_value_is_0(kind: str, value: float) -> None:
    rows = np.full((4, 1), value, dtype=np.float32)
    assert set(applied(scale.fit(("a",), rows, {"a": kind}), rows).ravel()) == {0}


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_a_column_without_values_stays_missing(kind: str) -> None:
    rows = np.full((4, 1), NAN, dtype=np.float32)
    assert np.isnan(applied(scale.fit(("a",), rows, {"a": kind}), rows)).all()


@given(matrices, matrices)
def test_any_rows_are_filled_and_scaled_alike(seen: NDArray[np.float32], others: NDArray[np.float32]) -> None:
    fill = impute.fit(NAMES, seen, {"a": 1.5, "b": 0})
    scaling = scale.fit(NAMES, fill.apply(seen), {"a": "standard", "b": "minmax"})
    for rows in (seen, others):
        applied(scaling, applied(fill, rows))
