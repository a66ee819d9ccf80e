"""Registrations of several classes and of numbers: the classes are the model's own, the interval is the spec's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from onnx import ModelProto, helper
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer import registration
from rondo.trainer.dataset.training_set import RowsLeftOut, TrainingSet
from rondo.trainer.evaluation.metrics.metrics import compute_all
from rondo.trainer.external_models.errors import BatchDependentError, UnmatchedClassesError
from rondo.trainer.onnx_graph import builder
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.trainer.external_models.graphs import FLOAT, graph, run

START = datetime(2013, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=10_000)
RNG = np.random.default_rng(2)
X = RNG.normal(size=(600, 2)).astype(np.float32)
SIZES = np.array(["large", "small", "tiny"])[np.digitize(X[:, 0], [-0.5, 0.5])]
TIPS = X[:, 0] * 2 + RNG.normal(size=600) / 10


def _taken(estimator: Any, task: str, labels: Any, left_out: RowsLeftOut | None = None, **more: Any) -> Any:
    described = {
        "model": "rides", "task": task, "features": {"a": {"type": "float"}, "b": {"type": "float"}},
        "data": {"dataset": "rides", "entity": "id", "event_time": "at", "label": "label"},
        "trainer": {"min_rows": 100}, **more,
    }  # fmt: skip
    rows = pl.DataFrame(
        {
            "id": [str(n) for n in range(600)],
            "at": [START + timedelta(hours=n) for n in range(600)],
            "a": X[:, 0],
            "b": X[:, 1],
            "label": labels,
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )
    model = estimator if isinstance(estimator, ModelProto) else _converted(estimator)
    content = model.SerializeToString()
    training_set = TrainingSet(rows, (), LATER, None, LATER, left_out)
    return registration.candidate_of(ModelSpec.model_validate(described), training_set, content, run)


def _converted(estimator: Any) -> ModelProto:
    options = {"zipmap": False} if hasattr(estimator, "classes_") else None
    return to_onnx(estimator, X[:1], options=options, target_opset=15)


def _codes(candidate: Any) -> set[str]:
    return {note.code for note in candidate.notes}


def test_the_classes_are_those_of_the_model_in_its_order() -> None:
    candidate = _taken(LogisticRegression().fit(X, SIZES), "multiclass", SIZES)
    assert builder.read_task(candidate.model).labels == ("large", "small", "tiny")
    assert (candidate.scored.outputs["label"] == candidate.scored.targets).mean() > 0.9
    assert _codes(candidate) == {"unknown_training_rows"}
    assert set(candidate.reference.blocks.columns) == {"a", "b"}


@pytest.mark.medium
def test_classes_that_only_the_model_or_only_the_rows_have_are_noted() -> None:
    named = np.where(SIZES == "tiny", "huge", SIZES)
    candidate = _taken(LogisticRegression().fit(X, SIZES), "multiclass", named)
    assert {"unknown_class", "absent_class"} <= _codes(candidate)


def test_a_model_without_any_class_of_the_rows_is_refused() -> None:
    codes = np.unique(SIZES, return_inverse=True)[1]
    with pytest.raises(UnmatchedClassesError) as refused:
        _taken(LogisticRegression().fit(X, codes), "multiclass", SIZES)
    assert re.search("0, 1, 2, .*large, small, tiny", str(refused.value))


def test_the_interval_of_a_number_is_that_of_the_spec() -> None:
    candidate = _taken(LinearRegression().fit(X, TIPS), "regression", TIPS, prediction={"interval": 0.8})
    interval = builder.read_task(candidate.model).interval
    assert interval is not None
    assert 0.05 < interval.half_width < 0.3
    assert candidate.parity.max_difference < 1e-6
    assert candidate.parity.native_difference is None


@pytest.mark.medium
@pytest.mark.parametrize(
    ("prediction", "between"),
    [
        ({"threshold": 0.3}, (0.3, 0.3)),
        ({"cost": {"false_positive": 1, "false_negative": 9}}, (0.0, 0.4)),
        ({"cost": {"false_positive": 9, "false_negative": 1}}, (0.6, 1.0)),
    ],
)
def test_the_threshold_is_that_of_the_spec_or_the_one_that_costs_least(
    prediction: dict[str, Any], between: tuple[float, float]
) -> None:
    late = (X[:, 0] + np.random.default_rng(4).normal(size=600) > 0).astype(float)
    candidate = _taken(LogisticRegression().fit(X, late), "binary", late, prediction=prediction)
    threshold = builder.read_task(candidate.model).threshold
    assert threshold is not None
    assert np.float32(between[0]) <= threshold <= np.float32(between[1])
    label, score = (candidate.scored.outputs[name] for name in ("label", "score"))
    np.testing.assert_array_equal(label, score >= np.float32(threshold))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (np.full(600, 3.0), "same_label"),
        (np.where(np.arange(600) % 300 == 0, 4.0, 3.0), "same_label"),
        (1e9 + TIPS / 100, "rounded_labels"),
    ],
)
def test_numbers_that_show_little_are_noted_as_by_a_training(labels: Any, code: str) -> None:
    assert _codes(_taken(LinearRegression().fit(X, labels), "regression", labels)) == {"unknown_training_rows", code}


@pytest.mark.medium
def test_a_rare_class_and_repeated_rows_are_noted_as_by_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = np.where(np.arange(600) % 150 == 0, "tiny", np.where(X[:, 0] > 0, "large", "small"))
    assert "rare_class" in _codes(_taken(LogisticRegression().fit(X, rare), "multiclass", rare))
    monkeypatch.setitem(globals(), "X", np.tile(X[:100], (6, 1)))
    repeated = np.tile(SIZES[:100], 6)
    assert "repeated_rows" in _codes(_taken(LogisticRegression().fit(X, repeated), "multiclass", repeated))


@pytest.mark.slow
@pytest.mark.parametrize(("task", "labels"), [("binary", X[:, 0] > 0), ("multiclass", SIZES)])
def test_probabilities_of_a_forest_that_rounding_puts_above_1_are_1(task: str, labels: Any) -> None:
    """50 trees of float32 add up to 1.0000001, which scikit-learn's metrics refuse."""
    labels = labels if task == "multiclass" else labels.astype(np.int64)
    forest = RandomForestClassifier(50, random_state=1).fit(X, labels)
    candidate = _taken(forest, task, labels)
    scores = candidate.scored.outputs["score" if task == "binary" else "probabilities"]
    assert scores.max() == 1.0
    assert compute_all(["log_loss"], candidate.scored)["log_loss"] < 0.5
    assert candidate.parity.max_difference < 1e-6


def test_a_graph_whose_answer_depends_on_the_rows_beside_it_is_refused() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0]),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Constant", [], ["first"], value_ints=[0]),
        helper.make_node("Gather", ["centred", "first"], ["y"], axis=1),
    ]
    with pytest.raises(BatchDependentError) as refused:
        _taken(graph(*nodes, inputs={"x": (FLOAT, ["N", 2])}), "regression", TIPS)
    assert refused.value.code == "batch_dependent"
    assert "depends on the rows beside it" in str(refused.value)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("written", "noted"),
    [
        ('{"rows": 1000, "max_difference": 1.5e-07}', True),
        ('{"rows": 0, "max_difference": 0}', False),
        ('{"rows": 10, "max_difference": NaN}', False),
        ("yes", False),
    ],
)
def test_the_comparison_on_the_side_of_the_client_is_noted_where_it_can_be_read(written: str, *, noted: bool) -> None:
    model = _converted(LinearRegression().fit(X, TIPS))
    helper.set_model_props(model, {"rondo.compared": written})
    found = [note.message for note in _taken(model, "regression", TIPS).notes if note.code == "compared_by_client"]
    assert len(found) == noted
    assert all(re.search(r"1,000 rows .* 1\.5e-07", message) for message in found)


def test_rows_that_the_estimator_refused_on_the_side_of_the_client_are_in_the_note() -> None:
    model = _converted(LinearRegression().fit(X, TIPS))
    written = '{"rows": 1000, "left_out": 12, "max_difference": 1.5e-7}'
    helper.set_model_props(model, {"rondo.compared": written})
    (note,) = (each for each in _taken(model, "regression", TIPS).notes if each.code == "compared_by_client")
    assert re.search(r"1,000 rows .*; 12 rows .* left out", note.message)


@pytest.mark.medium
def test_an_interval_that_few_rows_choose_is_a_note_as_of_a_training() -> None:
    candidate = _taken(LinearRegression().fit(X, TIPS), "regression", TIPS, prediction={"interval": 0.99})
    assert "few_interval_rows" in _codes(candidate)


def test_rows_that_lack_a_feature_of_the_spec_are_a_note_as_of_a_training() -> None:
    candidate = _taken(LinearRegression().fit(X, TIPS), "regression", TIPS, RowsLeftOut(50, {"a": 50}))
    (note,) = (each for each in candidate.notes if each.code == "rows_without_feature")
    assert note.feature == "a"
    assert re.search(r"^50 .* rides .* 'a' .* 600 rows remain\.", note.message)
