"""The rows that are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rondo.contracts.spec.policy import Trainer
from rondo.trainer.adaptation.holdout import HeldOut, held_out, held_out_of_young, is_young, latest, specified

ROWS = np.arange(10_000)


def test_without_a_champion_the_latest_tenth_is_held_out_and_a_delay_before_it_is_a_gap() -> None:
    assert held_out(ROWS, 0, None) == HeldOut(9_000, 9_000)
    held = held_out(ROWS, 500, None)
    # The row of a delay before is known when the first row of the holdout is predicted.
    assert held == HeldOut(8_501, 9_000)
    assert held.gap == 499


def test_the_holdout_is_what_the_champion_was_not_fitted_to_and_predicted() -> None:
    # It was fitted up to row 7,999 and predicted from a delay later on. What is compared with it knew as much then.
    assert held_out(ROWS, 500, 7_999) == HeldOut(8_001, 8_500)
    assert held_out(ROWS, 0, 7_999) == HeldOut(8_000, 8_000)


def test_where_few_rows_are_a_delay_later_all_later_rows_are_held_out() -> None:
    assert held_out(ROWS, 1_000, 8_900) == HeldOut(7_902, 8_901)


@pytest.mark.parametrize(
    ("rows", "fitted_until", "start"),
    [
        (10_000, 9_999, 9_800),  # nothing new: 200 rows
        (100_000, 99_999, 98_000),  # nothing new: 2 %
        (10_000, 100, 7_000),  # 30 % at most
        (500, None, 350),  # of few rows 30 %, too
    ],
)
def test_the_holdout_has_200_rows_and_two_percent_at_least_and_thirty_percent_at_most(
    rows: int, fitted_until: int | None, start: int
) -> None:
    assert held_out(np.arange(rows), 0, fitted_until).start == start


def test_rows_with_the_same_event_time_stay_together() -> None:
    times = np.repeat(np.arange(100), 100)
    assert held_out(times, 0, None) == HeldOut(9_000, 9_000)
    assert latest(times, 0, 950) == HeldOut(9_000, 9_000)
    assert latest(times, 2, 950) == HeldOut(8_900, 9_000)
    assert latest(np.zeros(1_000, np.int64), 0, 100) == HeldOut(0, 0)


def test_a_delay_longer_than_the_history_leaves_half_of_it() -> None:
    assert held_out(ROWS, 1_000_000, None) == HeldOut(4_500, 9_000)


def test_a_window_is_young_until_half_of_its_rows_are_before_holdout_and_gap() -> None:
    held = HeldOut(8_000, 9_000)
    assert is_young(7_000, held, 10_000)
    assert is_young(8_500, held, 10_000)
    assert not is_young(6_000, held, 10_000)
    assert held_out_of_young(ROWS, 7_000) == HeldOut(9_000, 9_000)


@pytest.mark.parametrize(
    ("trainer", "rows"),
    [
        ({}, None),
        ({"holdout": 0.25}, 250),
        ({"holdout_rows": 70}, 70),
        ({"holdout_rows": 2_000}, 1_000),
        ({"holdout_span": "3m"}, 180),
        ({"holdout_span": "1d"}, 1_000),
    ],
)
def test_the_spec_holds_out_a_share_a_number_of_rows_or_a_span(trainer: dict[str, Any], rows: int | None) -> None:
    times = np.arange(1_000) * 1_000_000
    assert specified(Trainer(**trainer), times) == rows
