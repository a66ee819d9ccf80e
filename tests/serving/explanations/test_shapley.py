"""Shapley values: known values of simple functions hold for every sample."""

from __future__ import annotations

import tracemalloc
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.serving.explanations.exact import evaluations, exact_shapley
from rondo.serving.explanations.shapley import shapley

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

NAMES = ("a", "b", "c", "d")
FINITE = st.floats(-10, 10, width=32)
ROW = {name: np.float32(value) for name, value in zip(NAMES, (1.5, -2, 0.5, 3), strict=True)}


def background(rows: int = 50, seed: int = 3) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=rows).astype(np.float32) for name in NAMES}


def with_interaction(columns: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return two outputs, of which the second is twice the first."""
    found = columns["a"] * columns["b"] + 3 * columns["c"] + np.where(columns["d"] > 0, columns["a"], 0)
    return np.stack([found, 2 * found], axis=1).astype(np.float32)


def exact(score: Callable[[Any], Any], row: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, float]:
    """Return the Shapley values of the first output by all orders and all rows of the background."""
    size, found = len(rows["a"]), dict.fromkeys(NAMES, 0.0)
    orders = list(permutations(NAMES))
    for order in orders:
        columns = {name: values.copy() for name, values in rows.items()}
        before = score(columns)[:, 0].mean()
        for name in order:
            columns[name] = np.full(size, row[name])
            after = score(columns)[:, 0].mean()
            found[name] += float(after - before) / len(orders)
            before = after
    return found


@given(st.lists(FINITE, min_size=4, max_size=4), st.integers(2, 30))
def test_the_values_add_up_to_the_output_minus_the_base(values: list[float], pairs: int) -> None:
    row = dict(zip(NAMES, map(np.float32, values), strict=True))
    found = shapley(with_interaction, row, background(), pairs)
    output = with_interaction({name: np.array([value]) for name, value in row.items()})[0]
    assert found.values.sum(axis=0) == pytest.approx(output - found.base, abs=1e-3)
    assert found.values[:, 1] == pytest.approx(2 * found.values[:, 0], abs=1e-3)


def test_a_feature_without_effect_has_no_value_and_no_error() -> None:
    found = shapley(lambda columns: columns["a"].reshape(-1, 1), ROW, background(), 20)
    assert found.values[1:].tolist() == [[0.0]] * 3
    assert found.errors[1:].tolist() == [[0.0]] * 3


def test_of_a_sum_the_values_are_known_where_every_row_of_the_background_is_used() -> None:
    rows = background()
    found = shapley(lambda columns: sum(columns.values()).reshape(-1, 1), ROW, rows, 50)
    assert found.values[:, 0] == pytest.approx([ROW[name] - rows[name].mean() for name in NAMES], abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_values_are_within_the_stated_errors(seed: int) -> None:
    rows = background(seed=seed)
    found = shapley(with_interaction, ROW, rows, 200)
    wanted = exact(with_interaction, ROW, rows)
    off = np.abs(found.values[:, 0] - list(wanted.values()))
    assert (off <= 4 * found.errors[:, 0] + 1e-5).all()
    assert (found.errors[:, 0] < 0.3).all()


def test_texts_are_features_too() -> None:
    rows = {"carrier": np.array(["AA", "UA"], np.object_), "distance": np.array([1, 2], np.float32)}

    def score(columns: Mapping[str, Any]) -> NDArray[np.float32]:
        return np.where(columns["carrier"] == "DL", columns["distance"], 0).reshape(-1, 1).astype(np.float32)

    found = shapley(score, {"carrier": "DL", "distance": np.float32(5)}, rows, 10)
    assert found.values.sum() == pytest.approx(5)
    assert found.base.tolist() == [0.0]


def test_the_same_row_has_the_same_values() -> None:
    first, second = (shapley(with_interaction, ROW, background(), 7) for _ in range(2))
    assert (first.values == second.values).all()


@pytest.mark.medium
def test_the_memory_does_not_grow_with_the_pairs() -> None:
    def of_many_labels(columns: Mapping[str, Any]) -> NDArray[np.float32]:
        return np.repeat(columns["a"].reshape(-1, 1), 100, axis=1)

    def peak(pairs: int) -> int:
        tracemalloc.start()
        shapley(of_many_labels, ROW, background(), pairs)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # 8,192 rows are evaluated at once, so further parts follow after 819 pairs.
    assert peak(8_000) < 1.5 * peak(819)


@pytest.mark.parametrize("seed", range(3))
def test_by_all_sets_the_values_are_those_of_all_orders(seed: int) -> None:
    rows = background(seed=seed)
    found, wanted = exact_shapley(with_interaction, ROW, rows), exact(with_interaction, ROW, rows)
    assert found.values[:, 0] == pytest.approx(list(wanted.values()), abs=1e-5)
    assert found.values[:, 1] == pytest.approx(2 * found.values[:, 0], abs=1e-5)
    assert found.base == pytest.approx(with_interaction(rows).mean(axis=0), abs=1e-5)
    assert (found.errors.shape, found.errors.any()) == ((4, 2), False)


@given(st.lists(FINITE, min_size=4, max_size=4))
def test_by_all_sets_the_values_add_up_to_the_output_minus_the_base(values: list[float]) -> None:
    row = dict(zip(NAMES, map(np.float32, values), strict=True))
    found = exact_shapley(with_interaction, row, background())
    output = with_interaction({name: np.array([value]) for name, value in row.items()})[0]
    assert found.values.sum(axis=0) == pytest.approx(output - found.base, abs=1e-3)


def test_by_all_sets_texts_are_features_too_and_one_feature_has_everything() -> None:
    rows = {"carrier": np.array(["AA", "UA"], np.object_)}

    def score(columns: Mapping[str, Any]) -> NDArray[np.float32]:
        return np.where(columns["carrier"] == "DL", 5, 0).reshape(-1, 1).astype(np.float32)

    found = exact_shapley(score, {"carrier": "DL"}, rows)
    assert (found.values.tolist(), found.base.tolist()) == ([[5.0]], [0.0])


def test_by_all_sets_thirteen_features_are_evaluated_in_parts() -> None:
    names = [f"f{number}" for number in range(13)]
    rng, sizes = np.random.default_rng(5), []
    rows = {name: rng.normal(size=50).astype(np.float32) for name in names}
    row = {name: np.float32(rng.normal()) for name in names}

    def score(columns: Mapping[str, Any]) -> NDArray[np.float32]:
        sizes.append(len(columns["f0"]))
        return (columns["f0"] * columns["f12"] + sum(columns.values())).reshape(-1, 1).astype(np.float32)

    found = exact_shapley(score, row, rows)
    assert (sum(sizes), max(sizes) <= 8_192) == (evaluations(13, 50), True)
    alone = [row[name] - rows[name].mean() for name in names]
    assert found.values[1:12, 0] == pytest.approx(alone[1:12], abs=1e-4)
    # Each of the two interacting features has half of their joint contribution.
    half = (row["f0"] * row["f12"] - (rows["f0"] * rows["f12"]).mean()) / 2
    skew = (rows["f12"].mean() * row["f0"] - rows["f0"].mean() * row["f12"]) / 2
    assert found.values[0, 0] == pytest.approx(alone[0] + half + skew, abs=1e-4)
