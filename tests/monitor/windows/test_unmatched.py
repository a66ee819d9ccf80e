"""What waits, and how much of it."""

from __future__ import annotations

import numpy as np
from monitor_world import outcomes, predictions, rows, times
from rondo.monitor.state.segments import FRESH
from rondo.monitor.windows.unmatched import Pending


def waiting(count: int) -> Pending:
    pending = Pending()
    table = predictions(rows(np.random.default_rng(0), count), times(0, count), [f"{n}" for n in range(count)])
    pending.add_predictions(table, np.arange(count), version=1)
    return pending


def tell(pending: Pending, ids: list[str]) -> None:
    pending.add_outcomes(outcomes(list(ids), np.ones(len(ids)), times(0, len(ids))), np.arange(len(ids)))


def test_what_comes_is_in_no_store_yet() -> None:
    assert waiting(3).predictions.column("place").to_pylist() == [FRESH] * 3


def test_pairs_are_taken_out_once() -> None:
    pending = waiting(4)
    tell(pending, ["2", "9"])
    assert pending.match().column("id").to_pylist() == ["2"]
    assert pending.match().num_rows == 0
    assert pending.predictions.column("id").to_pylist() == ["0", "1", "3"]
    tell(pending, ["0"])
    assert pending.match().column("id").to_pylist() == ["0"]
    assert pending.outcomes.column("id").to_pylist() == ["9"]


def test_beyond_the_bound_the_oldest_go() -> None:
    pending = Pending(most=4)
    tell(pending, ["x"] * 4)
    table = outcomes(["y", "z"], np.ones(2), times(0, 2))
    assert pending.add_outcomes(table, np.arange(2)) == 2
    assert pending.outcomes.column("id").to_pylist() == ["x", "x", "y", "z"]
