"""Unmatched rows: their pairs, their bound and their retention."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import TumblingWindows
from rondo.monitor.windows.unmatched_rows import Progress, UnmatchedRows, retained_outcomes

from tests.monitor.builders import outcomes, predictions, rows, times

TUMBLING = TumblingWindows(10, 3, step=10, bucket=10)
PREDICTIONS = pa.table({"event_time": [5, 15, 25], "version": [1, 1, 1]})
OUTCOMES = pa.table({"known_at": [1, 20, 30]})


def predicted(count: int) -> UnmatchedRows:
    unmatched = UnmatchedRows()
    table = predictions(rows(np.random.default_rng(0), count), times(0, count), [f"{n}" for n in range(count)])
    unmatched.add_predictions(table, np.arange(count), version=1, counted={"number": "score"})
    return unmatched


def add_outcomes(unmatched: UnmatchedRows, ids: list[str]) -> int:
    table = outcomes(list(ids), np.ones(len(ids)), times(0, len(ids)))
    return unmatched.add_outcomes(table, np.arange(len(ids)))


def taken(unmatched: UnmatchedRows) -> list[str]:
    found: list[str] = unmatched.take_pairs(TUMBLING)[0].column("id").to_pylist()
    return found


def test_rows_are_numbered_in_order_of_arrival() -> None:
    unmatched = predicted(3)
    add_outcomes(unmatched, ["1"])
    unmatched.take_pairs(TUMBLING)
    add_outcomes(unmatched, ["8", "9"])
    assert unmatched.predictions.column("row").to_pylist() == [0, 2]
    assert unmatched.outcomes.column("row").to_pylist() == [1, 2]


def test_pairs_are_taken_once() -> None:
    unmatched = predicted(4)
    add_outcomes(unmatched, ["2", "9"])
    assert taken(unmatched) == ["2"]
    assert taken(unmatched) == []
    assert unmatched.predictions.column("id").to_pylist() == ["0", "1", "3"]
    add_outcomes(unmatched, ["0"])
    assert taken(unmatched) == ["0"]
    assert unmatched.outcomes.column("id").to_pylist() == ["9"]


def test_beyond_the_bound_the_oldest_rows_are_evicted() -> None:
    unmatched = UnmatchedRows(max_rows=4)
    add_outcomes(unmatched, ["x"] * 4)
    assert add_outcomes(unmatched, ["y", "z"]) == 2
    assert unmatched.outcomes.column("id").to_pylist() == ["x", "x", "y", "z"]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(predictions=33, outcomes=33, open=NEVER), [True, True, True]),
        (Progress(predictions=23, outcomes=23, open=20), [False, False, True]),
        (Progress(predictions=23, outcomes=NEVER, open=20), [True, True, True]),
        (Progress(predictions=26, outcomes=NEVER, open=20), [False, True, True]),
    ],
)
def test_predictions_of_a_closed_window_are_retained_while_outcomes_lag(
    progress: Progress, expected: list[bool]
) -> None:
    for closes in (True, False):
        unmatched = UnmatchedRows(PREDICTIONS)
        unmatched.retain(TUMBLING, progress, lambda _, closes=closes: closes)
        assert unmatched.predictions == (PREDICTIONS.filter(pa.array(expected)) if closes else PREDICTIONS)


def test_outcomes_are_retained_while_a_prediction_can_arrive_for_them() -> None:
    assert retained_outcomes(OUTCOMES, TUMBLING, Progress(NEVER, NEVER, NEVER)).tolist() == [True, True, True]
    assert retained_outcomes(OUTCOMES, TUMBLING, Progress(33, 33, 20)).tolist() == [False, False, True]
