"""Bins of several columns at once equal those of a binary search in each, for any number of edges and rows."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.chassis.profiles.numeric_bins import NumericBins


@pytest.mark.parametrize("most", [40, 300])
@pytest.mark.parametrize("rows", [0, 1, 30_000])
def test_each_value_has_the_bin_of_a_binary_search(most: int, rows: int) -> None:
    rng = np.random.default_rng(most + rows)
    edges = [np.sort(rng.normal(size=count)).astype(np.float32) for count in (0, 3, most)]
    values = rng.normal(size=(3, rows)).astype(np.float32)
    values[:, ::7], values[:, 1::7], values[2, 2::7] = np.nan, np.inf, edges[2][5]
    found = NumericBins.of(edges, [1, 4, most + 1]).of_values(values)
    expected = [np.searchsorted(mine, each, side="right") for mine, each in zip(edges, values, strict=True)]
    missing = np.array([[1], [4], [most + 1]])
    assert np.array_equal(found, np.where(np.isnan(values), missing, np.array(expected).reshape(3, rows)))
