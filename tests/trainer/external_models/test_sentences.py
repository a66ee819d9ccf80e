"""The message of a refusal has the fault, and what to export instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from onnx import TensorProto, helper
from rondo.trainer.external_models.errors import ExternalModelError

from tests.trainer.external_models.graphs import FLOAT, TEXT, X, column, given, graph
from tests.trainer.external_models.test_document import external, normalized
from tests.trainer.external_models.test_inputs import MIXED, ROWS

if TYPE_CHECKING:
    from rondo.contracts.tasks.base import TargetKind

KEPT = [helper.make_node("Identity", ["x"], ["z"]), helper.make_node("Constant", [], ["y"], value_floats=[0.5])]


@pytest.mark.parametrize(
    ("model", "code", "sentence"),
    [
        (graph(*KEPT, inputs={"x": (FLOAT, ["N", 3])}), "unmatched_inputs", "is a category, whose texts the float"),
        (graph(*column(), initializers=[external()]), "external_data",
         "of the model is in another file, which is never read: save the model in one file"),
        (graph(helper.make_node("FusedMatMul", ["x", "x"], ["z"], domain="com.microsoft"), *column()),
         "custom_operator", "and only the operators of ai.onnx and ai.onnx.ml can be served: export it without custom"),
        (graph(helper.make_node("RandomNormalLike", ["x"], ["z"]), *column()), "random_operator",
         "which gives another value at every run: export it for inference"),
        (normalized(("y", "mean", "variance"), training_mode=1), "training_mode",
         "would depend on the rows beside it: export it for inference (in PyTorch `model.eval()`"),
        (graph(*column(), opsets={"": 99}), "unsupported_opset", "and serving has up to"),
    ],
)  # fmt: skip
def test_a_graph_that_cannot_be_served_is_refused_with_what_to_export(model: Any, code: str, sentence: str) -> None:
    with pytest.raises(ExternalModelError) as refused:
        given(model, features=MIXED, columns=ROWS)
    assert refused.value.code == code
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("model", "target", "classes", "code", "sentence"),
    [
        (graph(helper.make_node("ArgMax", ["x"], ["y"], axis=1), outputs={"y": (TensorProto.INT64, ["N", 1])}),
         "probability", ("0", "1"), "unclear_output", "none of them has floats"),
        (graph(*column(), *column(output="z"), outputs={"y": (FLOAT, ["N", 1]), "z": (FLOAT, ["N", 1])}),
         "probability", ("0", "1"), "unclear_output", "several have floats"),
        (graph(helper.make_node("Softmax", ["x"], ["y"]), outputs={"y": (FLOAT, ["N", 4])}),
         "probabilities", None, "unclear_output", "nothing says which class each column is"),
        (graph(helper.make_node("Softmax", ["x"], ["y"]), outputs={"y": (FLOAT, ["N", 4])},
               metadata={"rondo.classes": '["a", "b", "c", "d"]'}),
         "probabilities", ("e", "f", "g", "h"), "unmatched_classes",
         "and those of the label e, f, g, h: fit the model to the labels as they are published"),
    ],
)  # fmt: skip
def test_an_output_that_is_unclear_is_refused_with_what_to_name(
    model: Any, target: TargetKind, classes: Any, code: str, sentence: str
) -> None:
    with pytest.raises(ExternalModelError) as refused:
        given(model, target, classes)
    assert refused.value.code == code
    assert sentence in str(refused.value)


def test_margins_are_refused_with_how_to_export_probabilities() -> None:
    take = column()[:2]
    take[1].output[0] = "y"
    model = given(graph(*take))
    with pytest.raises(ExternalModelError) as refused:
        model.output.check("probability", model.predict(X))
    assert "of the model has no probabilities" in str(refused.value)
    assert "export the probabilities, not the margins" in str(refused.value)


def test_a_text_for_a_number_names_both_types() -> None:
    made = graph(helper.make_node("Identity", ["temp"], ["z"]), KEPT[1], inputs={"temp": (TEXT, ["N", 1])})
    with pytest.raises(ExternalModelError) as refused:
        given(made, features=MIXED, columns=ROWS)
    assert "'temp' has the type string, and float or double is needed" in str(refused.value)
