"""Each task: its labels, and its ONNX head against its own predictions."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import cheapest_threshold
from rondo.contracts.tasks.registry import TASKS, UnknownTaskError, task_named
from rondo.contracts.tasks.regression import half_width

RNG = np.random.default_rng(7)
SCORES = np.concatenate([[0.0, 0.5, 1.0, np.nextafter(np.float32(0.5), np.float32(0))], RNG.random(200)])
RAW = {
    "binary": SCORES[:, None],
    "multiclass": (chances := RNG.random((200, 4))) / chances.sum(axis=1, keepdims=True),
    "regression": RNG.normal(size=(200, 1)) * 1e4,
}
LABELS = {
    "binary": [0.0, 1.0] * 102,
    "multiclass": ["ash", "elm", "fir", "oak"] * 50,
    "regression": list(RAW["regression"][:, 0] + RNG.normal(size=200)),
}
OPTIONS = {"binary": {"cost": {"false_positive": 1.0, "false_negative": 3.0}}, "regression": {"interval": 0.9}}


def fitted(name: str) -> FittedTask:
    task = TASKS[name]
    classes = task.classes(LABELS[name], task.labels(None, None))
    return task.fitted(classes, OPTIONS.get(name, {}), RAW[name], task.targets(LABELS[name], classes))


@pytest.mark.parametrize("name", TASKS)
def test_the_onnx_head_gives_the_predictions_of_the_task(name: str) -> None:
    task, described, raw = TASKS[name], fitted(name), RAW[name]
    kinds = {"number": TensorProto.FLOAT, "probabilities": TensorProto.FLOAT, "label": TensorProto.INT64}
    outputs = [
        helper.make_tensor_value_info(each.tensor, kinds[each.kind], ["N", None]) for each in task.outputs(described)
    ]
    given = [helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["N", raw.shape[1]])]
    graph = helper.make_graph(task.head(described, "raw", helper.make_node), "head", given, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"raw": raw.astype(np.float32)})
    expected = task.predictions(described, raw)
    assert list(expected) == [each.name for each in task.outputs(described)]
    for each, values in zip(task.outputs(described), found, strict=True):
        np.testing.assert_array_equal(values.reshape(expected[each.name].shape), expected[each.name])


@pytest.mark.parametrize("name", TASKS)
def test_a_fitted_task_reads_back_from_json(name: str) -> None:
    assert FittedTask.model_validate_json(fitted(name).model_dump_json()) == fitted(name)


def test_the_labels_of_classes_that_are_numbers_are_answered_as_numbers_in_their_order() -> None:
    task = TASKS["multiclass"]
    classes = task.classes(["10", "9", "-1"], task.labels(None, None))
    described = task.fitted(classes, {}, np.ones((1, 3)) / 3, np.zeros(1, np.float32))
    assert classes == ("-1", "9", "10")
    assert described.label_values == (-1, 9, 10)
    assert task.classes(["10", "09"], task.labels(None, None)) == ("09", "10")
    assert not task.fitted(("09", "10"), {}, np.ones((1, 2)), np.zeros(1, np.float32)).numbers


def test_a_class_that_is_not_known_has_the_index_after_the_last() -> None:
    targets = TASKS["multiclass"].targets(["oak", "yew"], ("ash", "oak"))
    assert targets.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("multiclass", " oak ", "oak"),
        ("multiclass", 3, "3"),
        ("multiclass", 3.0, "3"),
        ("multiclass", 3.5, None),
        ("multiclass", "", None),
        ("multiclass", True, "true"),
        ("multiclass", -0.0, "0"),
        ("multiclass", 2**53 - 1, "9007199254740991"),
        ("multiclass", 2**53, None),
        ("multiclass", 1e300, None),
        ("multiclass", "9007199254740993", "9007199254740993"),
        ("multiclass", "a\x00", None),
        ("multiclass", "\ud800", None),
        ("multiclass", None, None),
        ("multiclass", "x" * 257, None),
        ("regression", 2, 2.0),
        ("regression", " 2.5 ", 2.5),
        ("regression", "1e2", 100.0),
        ("regression", "1_000", None),
        ("regression", "nan", None),
        ("regression", 10**400, None),
        ("regression", float("nan"), None),
        ("regression", 1e39, None),
        ("regression", True, None),
        ("regression", "much", None),
    ],
)
def test_labels_are_stored_as_their_task_has_them(name: str, value: object, stored: object) -> None:
    assert TASKS[name].labels(None, None).parse(value) == stored


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1.0, 1.0), (1.0, 9.0), (9.0, 1.0), (1.0, 1e9)])
def test_the_threshold_costs_least_of_all_scores(false_positive: float, false_negative: float) -> None:
    scores = RNG.random(300).round(2)
    targets = (RNG.random(300) < scores).astype(np.float32)

    def cost(threshold: float) -> float:
        positive = scores.astype(np.float32) >= np.float32(threshold)
        wrong = float((positive & (targets == 0)).sum()), float((~positive & (targets == 1)).sum())
        return wrong[0] * false_positive + wrong[1] * false_negative

    chosen = cheapest_threshold(scores, targets, false_positive, false_negative)
    assert cost(chosen) == min(cost(each) for each in [*scores.astype(np.float32), 2.0])
    # A graph gives scores that differ by rounding.
    assert np.abs(scores - chosen).min() > 5e-6


@pytest.mark.parametrize(
    ("scores", "labels", "positive"), [([0.0, 1.0], [1, 1], 2), ([0.0, 1.0], [0, 0], 0), ([0.0], [1], 1)]
)
def test_a_threshold_may_be_below_or_above_all_scores(scores: list[float], labels: list[int], positive: int) -> None:
    chosen = cheapest_threshold(np.array(scores), np.array(labels, np.float32), 1.0, 1.0)
    assert int((np.array(scores) >= chosen).sum()) == positive
    assert chosen >= 0


def test_the_interval_covers_its_share_of_other_rows() -> None:
    rng = np.random.default_rng(3)
    covered = [
        float((np.abs(rng.standard_t(3, 500)) <= half_width(rng.standard_t(3, 200), 0.9)).mean()) for _ in range(200)
    ]
    # The mean of 200 holdouts has a standard error of about 0.002.
    assert 0.895 <= float(np.mean(covered)) <= 0.915


def test_an_unknown_task_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownTaskError) as caught:
        task_named("ranking")
    assert caught.value.name == "ranking"
