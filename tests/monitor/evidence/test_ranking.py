"""Equal means stay equal: means of live rows, and means that the trainer has rounded."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence.ranking import FEW, Ranking, on_grid
from rondo.monitor.evidence.stretches import Stretches


@pytest.mark.medium
@pytest.mark.parametrize("memory", [1.0, 12.0])
def test_blocks_with_the_same_share_of_rows_are_ties_however_the_means_were_computed(memory: float) -> None:
    """A reference of 512 stretches, whose means are rounded to 9 decimals, for every length of a stretch up to 512."""
    for rows in range(1, 513):
        stretches = Stretches(rows, memory, np.zeros((1, 512)))
        block = stretches.block()
        parts, hits = block // rows, np.arange(block + 1)
        # This many rows of a block have the property, spread over its stretches, or in as few of the first ones as
        # possible.
        at = np.arange(parts + 1)
        spread = np.diff(hits[:, None] * at // parts, axis=1)
        early = np.clip(hits[:, None] - rows * at[:-1], 0, rows)
        for counts in (spread, early):
            rounded = np.round(counts / rows, 9).reshape(1, -1)
            assert Stretches(rows, memory, rounded).blocks(block)[0].tolist() == on_grid(hits / block).tolist()


def test_a_mean_is_moved_by_less_than_a_millionth() -> None:
    means = np.random.default_rng(1).standard_normal(1_000)
    assert np.abs(on_grid(means) - means).max() < 1e-6


def test_errors_of_rounding_make_no_difference_at_the_usual_shares() -> None:
    shares = np.array([0.0, 1.0, 0.5, 0.25, 0.1, 1 / 3, 2 / 3])
    for error in (-1e-12, 1e-12):
        assert on_grid(shares + error).tolist() == on_grid(shares).tolist()


@pytest.mark.parametrize("new", [1, 5, FEW, 60])
@pytest.mark.parametrize("distinct", [7, 10_000])
def test_values_have_their_places_among_those_before(new: int, distinct: int) -> None:
    """With ties, and with values that are not sorted yet."""
    values = np.random.default_rng(new).integers(distinct, size=(4, 300)).astype(np.float64)
    known = 300 - new
    for count in (known, known - 20):
        below, same = Ranking.of(values[:, :count]).places(values, known)
        for row, number in np.ndindex(4, new):
            before, value = values[row, : known + number], values[row, known + number]
            assert (below[row, number], same[row, number]) == ((before < value).sum(), (before == value).sum())


def test_further_values_are_sorted_in() -> None:
    values = np.random.default_rng(1).standard_normal((4, 300))
    assert Ranking.of(values[:, :200]).with_values(values).ascending.tolist() == np.sort(values, axis=1).tolist()
