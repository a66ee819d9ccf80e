"""The output that is the prediction, and the classes of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from rondo.trainer.external_models.errors import ExternalModelError, NotProbabilitiesError

from tests.trainer.external_models.graphs import COLUMNS, FLOAT, NUMBERS, X, column, given, graph, scored

if TYPE_CHECKING:
    from rondo.contracts.tasks.base import TargetKind

SOFTMAX = helper.make_node("Softmax", ["x"], ["y"], axis=1)
FOUR = {"y": (FLOAT, ["N", 4])}
NESTED = "[" * 100_000
NAMED = {"rondo.classes": '["cat", "dog", "owl", "eel"]'}


def _code(model: Any, target: TargetKind, classes: Any) -> str:
    with pytest.raises(ExternalModelError) as refused:
        given(model, target, classes)
    return refused.value.code


def test_the_metadata_names_the_classes() -> None:
    model = given(graph(SOFTMAX, outputs=FOUR, metadata=NAMED), "probabilities", None)
    assert model.classes == ("cat", "dog", "owl", "eel")


def test_the_columns_are_put_into_the_order_that_is_wanted() -> None:
    wanted = ("eel", "cat", "dog", "owl")
    model = given(graph(SOFTMAX, outputs=FOUR, metadata=NAMED), "probabilities", wanted)
    assert model.output.columns == (3, 0, 1, 2)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), model.predict(X), atol=1e-6)


def test_of_two_labels_in_reverse_order_the_positive_one_is_taken() -> None:
    both = [*column(), helper.make_node("Concat", ["y", "rest"], ["both"], axis=1)]
    one = helper.make_node("Constant", [], ["one"], value_float=1.0)
    rest = helper.make_node("Sub", ["one", "y"], ["rest"])
    outputs = {"both": (FLOAT, ["N", 2])}
    made = graph(*both[:-1], one, rest, both[-1], outputs=outputs, metadata={"rondo.classes": '["yes", "no"]'})
    model = given(made, "probability", ("no", "yes"))
    assert model.output.columns == (0,)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), model.predict(X), atol=1e-6)


def test_without_names_the_order_is_assumed_and_that_is_known() -> None:
    assert given(graph(SOFTMAX, outputs=FOUR), "probabilities", ("a", "b", "c", "d")).output.assumed


def test_of_several_outputs_the_metadata_names_one() -> None:
    outputs = {"y": (FLOAT, ["N", 1]), "z": (FLOAT, ["N", 1])}
    nodes = [*column(), *column(output="z", at=3)]
    model = given(graph(*nodes, outputs=outputs, metadata={"rondo.output": "z"}))
    np.testing.assert_allclose(model.predict(X)[:, 0], 1 / (1 + np.exp(-X[:, 3])), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "target", "classes", "code"),
    [
        (graph(*column(), *column(output="z"), outputs={"y": (FLOAT, ["N", 1]), "z": (FLOAT, ["N", 1])}),
         "probability", ("0", "1"), "unclear_output"),
        (graph(*column(), metadata={"rondo.output": "nothing"}), "probability", ("0", "1"), "unclear_output"),
        (graph(helper.make_node("ArgMax", ["x"], ["y"], axis=1), outputs={"y": (TensorProto.INT64, ["N", 1])}),
         "probability", ("0", "1"), "unclear_output"),
        (graph(SOFTMAX, outputs=FOUR), "probability", ("0", "1"), "unclear_output"),
        (graph(SOFTMAX, outputs=FOUR), "number", (), "unclear_output"),
        (graph(*column()), "probabilities", None, "unclear_output"),
        (graph(SOFTMAX, outputs=FOUR), "probabilities", None, "unclear_output"),
        (graph(SOFTMAX, outputs=FOUR, metadata=NAMED), "probabilities", ("a", "b", "c", "d"), "unmatched_classes"),
        (graph(SOFTMAX, outputs=FOUR, metadata={"rondo.classes": '["a"]'}), "probabilities", None, "unmatched_classes"),
        (graph(SOFTMAX, outputs=FOUR, metadata={"rondo.classes": "a, b"}), "probabilities", None, "unmatched_classes"),
        (graph(SOFTMAX, outputs=FOUR, metadata={"rondo.classes": NESTED}), "probabilities", None, "unmatched_classes"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_refused(model: Any, target: TargetKind, classes: Any, code: str) -> None:
    assert _code(model, target, classes) == code


def test_an_output_of_one_row_is_refused() -> None:
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)
    assert _code(graph(mean, outputs={"y": (FLOAT, [None, 4])}), "probabilities", ("a", "b", "c", "d")) == "run_failed"


def test_margins_are_no_probabilities() -> None:
    take = column()[:2]
    take[1].output[0] = "y"
    model = given(graph(*take))
    with pytest.raises(NotProbabilitiesError):
        model.output.check("probability", model.predict(X))


def test_probabilities_that_do_not_add_up_are_none() -> None:
    model = given(graph(helper.make_node("Sigmoid", ["x"], ["y"]), outputs=FOUR, metadata=NAMED), "probabilities", None)
    with pytest.raises(NotProbabilitiesError):
        model.output.check("probabilities", model.predict(X))


def test_rows_without_a_prediction_are_left_to_the_check_of_finite_ones() -> None:
    given(graph(*column())).output.check("probability", np.array([[np.nan], [0.5]]))
