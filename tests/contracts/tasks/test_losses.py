"""Losses of single rows: from 0 to 1, by examples worked out by hand, and unknown without prediction or outcome."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.registry import TASKS

from tests.contracts.tasks.test_sketches import FITTED, rows, sketch, table

NAN = float("nan")


def losses(name: str, largest: float | None = None, **columns: Any) -> Any:
    return TASKS[name].losses(FITTED[name], table(**columns), largest)


def test_a_binary_loss_is_the_log_loss_of_the_clipped_probability() -> None:
    found = losses("binary", number=[0.1, 0.1, 0.5, 0.0, 1.0, 0.0], outcome=[1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    # log .1 / log .01 is one half, as .01 is the square of .1.
    assert found == pytest.approx([0.5, log(0.9) / log(0.01), log(0.5) / log(0.01), 1.0, 1.0, log(0.99) / log(0.01)])


def test_a_multiclass_loss_is_1_for_another_class_and_for_one_that_the_model_does_not_know() -> None:
    found = losses(
        "multiclass", number=[0.5] * 3, label=["ash", "ash", "elm"], outcome_label=["ash", "elm", "no such tree"]
    )
    assert found.tolist() == [0.0, 1.0, 1.0]


def test_a_regression_loss_is_the_squared_error_as_a_share_of_the_largest_that_counts() -> None:
    found = losses("regression", 16.0, number=[1.0, 1.0, 1.0, 1.0], outcome=[1.0, -1.0, 5.0, 100.0])
    assert found.tolist() == [0.0, 0.25, 1.0, 1.0]


def test_the_largest_loss_of_a_regression_is_the_99th_percentile_of_the_squared_errors() -> None:
    errors = np.append(np.arange(100.0), NAN)
    holdout = table(number=np.zeros(101), outcome=errors)
    assert TASKS["regression"].largest_loss(FITTED["regression"], holdout) == pytest.approx(98.01**2, rel=1e-3)
    assert TASKS["regression"].largest_loss(FITTED["regression"], table(number=[NAN], outcome=[1.0])) is None
    for name in ("binary", "multiclass"):
        assert TASKS[name].largest_loss(FITTED[name], rows(name, 10)) is None


def test_after_an_exact_holdout_every_error_of_a_regression_is_a_loss_of_1() -> None:
    assert losses("regression", 0.0, number=[1.0, 1.0], outcome=[1.0, 1.001]).tolist() == [0.0, 1.0]


def test_a_regression_has_no_losses_without_the_largest_one() -> None:
    assert np.isnan(losses("regression", None, number=[1.0], outcome=[2.0])).all()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("binary", {"number": [None, NAN, 0.5, 0.5], "outcome": [1.0, 1.0, None, NAN]}),
        ("regression", {"number": [None, NAN, 0.5, np.inf], "outcome": [1.0, 1.0, None, np.inf]}),
        (
            "multiclass",
            {
                "number": [0.5, NAN, 0.5, None],
                "label": [None, *["ash"] * 3],
                "outcome_label": [*["ash"] * 2, None, "elm"],
            },
        ),
    ],
)
def test_there_is_no_loss_without_prediction_or_outcome(name: str, columns: dict[str, Any]) -> None:
    assert np.isnan(losses(name, 1.0, **columns)).all()
    assert sketch(name).labelled(sketch(name).count(table(**columns))) == 0


@pytest.mark.parametrize("name", TASKS)
@given(count=st.integers(0, 50), seed=st.integers(0, 100))
def test_losses_are_between_0_and_1_and_as_many_as_the_sketch_counts(name: str, count: int, seed: int) -> None:
    task, fitted, table = TASKS[name], FITTED[name], rows(name, count, seed)
    found = task.losses(fitted, table, task.largest_loss(fitted, table))
    assert found.shape == (count,)
    assert found.dtype == np.float64
    assert ((found >= 0) & (found <= 1)).all()
    assert len(found) == sketch(name).labelled(sketch(name).count(table))


def test_a_table_without_rows_has_no_losses() -> None:
    empty = pa.schema(table(number=[0.5]).schema).empty_table()
    assert [TASKS[name].losses(FITTED[name], empty, 1.0).shape for name in TASKS] == [(0,)] * 3
