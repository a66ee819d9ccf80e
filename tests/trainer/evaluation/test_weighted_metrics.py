"""A metric of weights equals the metric of the drawn rows, also with ties and absent classes.

`metrics` computes the latter by scikit-learn. For decided labels it has the same formulas: `test_confusion_metrics.py`
compares those with scikit-learn on repeated rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.registry import TASKS
from rondo.trainer.evaluation.metrics.metrics import compute
from rondo.trainer.evaluation.weighted_metrics import of_weights

from tests.trainer.evaluation.test_metrics import binary, classes, numbers

if TYPE_CHECKING:
    from rondo.trainer.evaluation.metrics.scored import Scored

WEIGHT = st.integers(0, 3)
SCORE = st.sampled_from([0.1, 0.25, 0.5, 0.9])
NUMBER = st.sampled_from([-3.0, 0.5, 1.0, 2.5, 100.0])


def rows_of(*columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return rows of some columns and a weight. Not all weights are 0."""
    rows = st.lists(st.tuples(*columns, WEIGHT), min_size=1, max_size=60)
    return rows.filter(lambda found: any(row[-1] for row in found))


def assert_equal(name: str, scored: Scored, weights: Any) -> None:
    """Assert that a metric of weights is that of the drawn rows."""
    quick, drawn = of_weights(name, scored), weights > 0
    assert quick is not None
    expected = compute(name, scored.take(drawn), weights[drawn])
    assert quick(weights) == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-9))


@pytest.mark.sampled(3)
@pytest.mark.medium
@pytest.mark.parametrize("name", TASKS["binary"].metrics)
@given(rows_of(st.sampled_from([0.0, 1.0]), SCORE))
def test_binary(name: str, rows: list[Any]) -> None:
    labels, scores, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    assert_equal(name, binary(labels, scores), weights)


@pytest.mark.sampled(2)
@pytest.mark.medium
@pytest.mark.parametrize("name", TASKS["multiclass"].metrics)
@given(rows_of(st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.7])))
def test_multiclass(name: str, rows: list[Any]) -> None:
    """The targets include the unknown class 3."""
    labels, first, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    assert_equal(name, classes(labels, np.column_stack([first, 0.8 - first, np.full(len(rows), 0.2)])), weights)


@pytest.mark.medium
@pytest.mark.parametrize("name", sorted({*TASKS["regression"].metrics} - {"median_absolute_error"}))
@given(rows_of(NUMBER, NUMBER))
def test_regression(name: str, rows: list[Any]) -> None:
    labels, values, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    assert_equal(name, numbers(labels, values), weights)


def test_what_only_scikit_learn_has() -> None:
    assert of_weights("median_absolute_error", numbers([1, 2], [1, 2])) is None
