"""Order statistics are those of a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.trainer.evaluation.order_statistics import OrderStatistics

FLOATS = st.floats(width=32, allow_nan=False)


@given(st.lists(FLOATS | st.sampled_from([0.0, -0.0, 1.0]), min_size=1, max_size=200), st.lists(FLOATS))
def test_values_and_ranks_are_those_of_a_sort(values: list[float], bounds: list[float]) -> None:
    column, asked = np.array(values, np.float32), np.array([*values, *bounds], np.float32)
    order, by_sort = OrderStatistics(column), np.sort(column)
    assert order.at(np.arange(len(column))).tolist() == by_sort.tolist()
    assert order.at(np.array([len(column) // 2])) == by_sort[len(column) // 2]
    assert order.below(asked).tolist() == np.searchsorted(by_sort, asked, side="left").tolist()


@pytest.mark.parametrize("scale", [1, 1e-40, 1e37])
def test_of_many_values_a_few_are_sorted(scale: float) -> None:
    column = np.random.default_rng(1).normal(size=50_000).astype(np.float32) * np.float32(scale)
    places = np.array([0, 7, 25_000, 49_999])
    order, by_sort = OrderStatistics(column), np.sort(column)
    assert order.at(places).tolist() == by_sort[places].tolist()
    assert order.below(by_sort[places]).tolist() == np.searchsorted(by_sort, by_sort[places]).tolist()


def test_no_values_have_no_order() -> None:
    order = OrderStatistics(np.empty(0, np.float32))
    assert order.below(np.array([1.0], np.float32)).tolist() == [0]


def test_negative_zero_is_zero() -> None:
    (found,) = OrderStatistics(np.array([-0.0], np.float32)).at(np.array([0]))
    assert str(found) == "0.0"
