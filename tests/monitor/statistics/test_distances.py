"""Kolmogorov-Smirnov, total variation, Jensen-Shannon and Wasserstein distances, compared with scipy and by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.statistics.catalogue import STATISTICS
from rondo.monitor.statistics.jensen_shannon import jensen_shannon
from rondo.monitor.statistics.ks import ks
from rondo.monitor.statistics.total_variation import total_variation
from rondo.monitor.statistics.wasserstein import wasserstein
from rondo.monitor.statistics.window_statistics import window_statistics
from scipy.spatial import distance
from scipy.stats import wasserstein_distance

from tests.monitor.builders import REFERENCE, SPEC
from tests.monitor.statistics.windows import window

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Distance = Callable[[NDArray[np.int64], NDArray[np.int64]], float]

ALL: list[Distance] = [ks, total_variation, jensen_shannon, wasserstein]
OF_EACH = pytest.mark.parametrize("distance", ALL, ids=lambda each: each.__name__)
COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=30).filter(
    lambda pairs: all(sum(side) for side in zip(*pairs, strict=True))
)


@OF_EACH
def test_equal_shares_have_no_distance(distance: Distance) -> None:
    counts = np.array([10, 20, 30])
    assert distance(counts, counts * 7) == pytest.approx(0, abs=1e-7)


def test_a_distance_by_hand() -> None:
    assert ks(np.array([8, 2]), np.array([5, 5])) == pytest.approx(0.3)
    assert total_variation(np.array([8, 0, 2]), np.array([5, 5, 0])) == pytest.approx(0.5)
    assert jensen_shannon(np.array([5, 0]), np.array([0, 5])) == pytest.approx(1)
    # Three tenths of the rows have moved to the other half, whose middle is half of all ranks away.
    assert wasserstein(np.array([8, 2]), np.array([5, 5])) == pytest.approx(0.15)


@pytest.mark.parametrize("name", ["ks", "total_variation", "jensen_shannon", "wasserstein"])
def test_without_rows_there_is_no_distance(name: str) -> None:
    nothing = window({column.name: [0] * column.size for column in REFERENCE.binning.columns})
    found = [each.value for each in STATISTICS[name].of(nothing, REFERENCE)]
    assert set(found) == {0.0}


@given(COUNTS)
def test_distances_lie_between_0_and_1(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert all(0 <= each(observed, reference) <= 1 + 1e-9 for each in ALL)


@given(COUNTS)
def test_distances_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    observed, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    expected = distance.jensenshannon(observed, reference, base=2)
    assert jensen_shannon(observed, reference) == pytest.approx(expected, abs=1e-6)
    shares = reference / reference.sum()
    ranks = np.cumsum(shares) - shares / 2
    expected = wasserstein_distance(ranks, ranks, observed, reference)
    assert wasserstein(observed, reference) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("ks", ["x", "output.score"]),
        ("wasserstein", ["x", "output.score"]),
        ("total_variation", ["city"]),
        ("jensen_shannon", ["x", "city", "output.score"]),
        ("psi", ["x", "city", "output.score"]),
    ],
)
def test_each_type_of_column_has_its_distance(name: str, columns: list[str]) -> None:
    found = list(STATISTICS[name].of(window({}), REFERENCE))
    assert [each.feature for each in found] == columns
    assert {(each.statistic, round(each.value, 7)) for each in found} == {(name, 0.0)}


def test_categories_that_the_reference_lacks_are_far_from_it() -> None:
    counts = window({"city": [0, 0, 0, 1_000, 0]})
    ((found),) = STATISTICS["total_variation"].of(counts, REFERENCE)
    assert found.value == 1.0
    (city,) = (each for each in STATISTICS["jensen_shannon"].of(counts, REFERENCE) if each.feature == "city")
    assert city.value == pytest.approx(1.0)


def test_the_spec_chooses_what_is_reported_and_in_which_order() -> None:
    def names(*detectors: str) -> list[str]:
        found = window_statistics(window({"x": [1_000, *[0] * 10]}), REFERENCE, detectors)
        return list(dict.fromkeys(each.statistic for each in found))

    assert names("wasserstein", "psi") == ["wasserstein", "psi"]
    assert names() == []
    assert names("of_a_later_release", "ks") == ["ks"]
    assert names(*SPEC.monitor.detectors) == ["psi", "ks", "total_variation"]
