"""The metrics of decided labels are scikit-learn's to the bit, also with weights and absent classes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.registry import TASKS
from rondo.trainer.evaluation import weighted_metrics
from rondo.trainer.evaluation.metrics.confusion import OF_CONFUSION
from rondo.trainer.evaluation.metrics.metrics import compute
from sklearn import metrics as sk

from tests.trainer.evaluation.test_metrics import binary, classes

if TYPE_CHECKING:
    from rondo.trainer.evaluation.metrics.scored import Scored

RNG = np.random.default_rng(11)
NAMES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "mcc")


def expected(name: str, targets: Any, labels: Any, weights: Any) -> float:
    """Return the metric of scikit-learn. Zero where it is not defined, and the recalls of classes that occur."""
    of = {
        "accuracy": sk.accuracy_score,
        "precision": lambda *rows, **weight: sk.precision_score(*rows, zero_division=0, **weight),
        "recall": lambda *rows, **weight: sk.recall_score(*rows, zero_division=0, **weight),
        "f1": lambda *rows, **weight: sk.f1_score(*rows, zero_division=0, **weight),
        "f1_macro": lambda *rows, **weight: sk.f1_score(*rows, average="macro", zero_division=0, **weight),
        "balanced_accuracy": sk.balanced_accuracy_score,
        "mcc": sk.matthews_corrcoef,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(of[name](targets, labels, sample_weight=weights))


def test_each_formula_is_compared() -> None:
    assert set(NAMES) == set(OF_CONFUSION)


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.9]), st.integers(1, 3)), min_size=1),
    weighted=st.booleans(),
)
def test_two_classes(name: str, rows: list[Any], *, weighted: bool) -> None:
    targets, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    given_weights = weights.astype(float) if weighted else None
    found = compute(name, binary(targets, scores), given_weights)
    assert found == expected(name, targets, (scores > 0.5).astype(int), given_weights)


@pytest.mark.medium
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "mcc"])
@pytest.mark.parametrize("known", [2, 3, 4], ids=["absent", "all", "unknown"])
@pytest.mark.parametrize("weighted", [False, True], ids=["once", "repeated"])
def test_many_rows_of_classes(name: str, known: int, *, weighted: bool) -> None:
    """A whole weight is as many rows for scikit-learn. Both functions of the weights are compared with it."""
    targets, raw = RNG.integers(0, known, 30_011), RNG.random((30_011, 3))
    raw[np.arange(30_011), np.minimum(targets, 2)] += 0.3
    scored = classes(targets, raw / raw.sum(axis=1, keepdims=True))
    if not weighted:
        assert compute(name, scored) == expected(name, targets, scored.outputs["label"], None)
        return
    weights = RNG.integers(0, 4, 30_011)
    repeated = expected(name, targets.repeat(weights), scored.outputs["label"].repeat(weights), None)
    assert of_weights(name, scored, weights) == [pytest.approx(repeated, rel=1e-12)] * 2


@pytest.mark.medium
@pytest.mark.parametrize("name", [name for name in NAMES if name in TASKS["binary"].metrics])
def test_many_rows_of_two_classes_by_their_weights(name: str) -> None:
    targets, scores = RNG.integers(0, 2, 30_011), RNG.random(30_011)
    weights, labels = RNG.integers(0, 4, 30_011), (scores > 0.5).astype(int)
    repeated = expected(name, targets.repeat(weights), labels.repeat(weights), None)
    assert of_weights(name, binary(targets, scores), weights) == [pytest.approx(repeated, rel=1e-12)] * 2


def of_weights(name: str, scored: Scored, weights: Any) -> list[float | None]:
    """Return a metric of weighted rows, as for a holdout and as for a resample."""
    quick = weighted_metrics.of_weights(name, scored)
    assert quick is not None
    return [compute(name, scored, weights.astype(float)), quick(weights.astype(float))]
