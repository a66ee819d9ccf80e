"""The growth of labelled rows from which the next training starts."""

from __future__ import annotations

import pytest
from rondo.trainer.adaptation.growth import (
    Costs,
    change_pays,
    chunk_rows,
    gain_of_growth,
    growth_needed,
    next_share,
    pays,
    rows_needed,
    rows_of_drop,
)


@pytest.mark.parametrize(("first", "rows"), [(1, 90), (900, 90), (901, 91), (2_000, 200), (10_000_000, 20_000)])
def test_a_chunk_is_a_tenth_of_the_first_training_within_bounds(first: int, rows: int) -> None:
    assert chunk_rows(first) == rows


@pytest.mark.parametrize(
    ("rise", "certain", "rows"),
    [(0.1, True, 200), (0.05, True, 400), (0.02, True, 2_500), (0.005, True, 20_000), (0.05, False, 20_000),
     (None, True, 20_000), (0.0, True, 20_000)],
)  # fmt: skip
def test_a_certain_drop_needs_as_many_rows_as_show_its_size(rise: float | None, rows: int, *, certain: bool) -> None:
    assert rows_of_drop(1_000_000, 8, rise, certain=certain) == rows
    assert rows_of_drop(1_000, 8, rise, certain=certain) == 100, "a chunk at most"
    assert rows_of_drop(1_000_000, 60, 0.1, certain=True) == 600, "ten for each feature"


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


@pytest.mark.parametrize(
    ("gain", "loss", "most"), [(0.01, 0.3, 0.01), (None, 0.3, 0.05), (0.2, 0.3, 0.05), (0.2, None, 0.2)]
)
def test_a_fifth_more_rows_gain_what_past_fits_did_and_at_most_a_sixth_of_the_loss(
    gain: float | None, loss: float | None, most: float
) -> None:
    assert gain_of_growth(gain, loss, fitted=1_000, new=200) == pytest.approx(most)


def test_a_rise_is_worth_what_undoing_it_saves_over_as_many_rows_as_the_last_fit_had() -> None:
    costs = Costs(training=10.0, error=2.0)
    assert change_pays(0.01, fitted=501, new=90, costs=costs)
    assert not change_pays(0.01, fitted=500, new=90, costs=costs)
    assert change_pays(0.01, fitted=100, new=501, costs=costs)
    assert change_pays(None, fitted=100, new=90, costs=costs), "nobody knows its size"


@pytest.mark.parametrize(("again", "rows"), [(None, 300), (250, 250), (50, 200), (-10, 200), (5_000, 300)])
def test_a_second_look_needs_a_chunk_and_no_more_than_the_growth(again: int | None, rows: int) -> None:
    assert rows_needed(3_000, 0.1, first=2_000, again=again) == rows


def test_after_a_fit_without_gain_the_share_doubles_up_to_the_whole() -> None:
    assert next_share(0.1, gain=0.01) == 0.1
    assert next_share(0.1, gain=0.0) == 0.2
    assert next_share(0.8, gain=-0.01) == 1.0
