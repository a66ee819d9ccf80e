"""When labelled rows have grown enough."""

from __future__ import annotations

import pytest
from rondo.trainer.adaptation.growth import Costs, chunk_rows, growth_needed, next_share, pays


@pytest.mark.parametrize(("first", "rows"), [(1, 90), (900, 90), (901, 91), (2_000, 200), (10_000_000, 20_000)])
def test_a_chunk_is_a_tenth_of_the_first_training_within_bounds(first: int, rows: int) -> None:
    assert chunk_rows(first) == rows


@pytest.mark.parametrize(
    ("fitted", "share", "rows"), [(100, 0.1, 90), (2_001, 0.1, 201), (2_001, 0.2, 401), (1_000_000, 0.1, 100_000)]
)
def test_rows_have_to_grow_by_a_share_of_the_last_fit_and_by_ninety(fitted: int, share: float, rows: int) -> None:
    assert growth_needed(fitted, share) == rows


def test_a_fit_pays_where_the_errors_that_it_avoids_cost_more() -> None:
    costs = Costs(training=10.0, error=2.0)
    assert pays(0.01, 600, costs)
    assert not pays(0.01, 500, costs)
    assert not pays(-0.01, 10_000, costs)


def test_after_a_fit_without_gain_the_share_doubles_up_to_the_whole() -> None:
    assert next_share(0.1, gain=0.01) == 0.1
    assert next_share(0.1, gain=0.0) == 0.2
    assert next_share(0.8, gain=-0.01) == 1.0
