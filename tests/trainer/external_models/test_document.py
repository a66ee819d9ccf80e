"""Models that are refused before a runtime loads them."""

from __future__ import annotations

import json
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from rondo.chassis.onnx_document import versions_of
from rondo.trainer.external_models import document
from rondo.trainer.external_models.errors import ExternalModelError

from tests.trainer.external_models.graphs import FLOAT, column, graph

# A node without content, as bytes of its graph.
NO_NODE = b"\x0a\x00"


def _code(model: onnx.ModelProto | bytes) -> str:
    with pytest.raises(ExternalModelError) as refused:
        document.parse(model if isinstance(model, bytes) else model.SerializeToString())
    return refused.value.code


def external() -> onnx.TensorProto:
    tensor = helper.make_tensor("w", FLOAT, [1], [1.0])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def test_a_sound_graph_is_read() -> None:
    assert document.parse(graph(*column()).SerializeToString()).graph.output[0].name == "y"


@pytest.mark.parametrize("content", [b"", b"no model", b"\x80\x04\x95pickle", json.dumps({"a": 1}).encode()])
def test_other_bytes_are_no_onnx(content: bytes) -> None:
    assert _code(content) == "not_onnx"


def test_a_large_model_is_refused_unread() -> None:
    with pytest.raises(ExternalModelError) as refused:
        document.parse(b"x" * 11, largest=10)
    assert refused.value.code == "model_too_large"


@pytest.mark.medium
def test_a_model_with_too_many_parts_is_refused_unread() -> None:
    many = onnx.GraphProto.FromString(NO_NODE * 500_001)
    with pytest.raises(ExternalModelError) as refused:
        document.parse(onnx.ModelProto(graph=many).SerializeToString())
    assert refused.value.code == "model_too_complex"
    assert "500,000 nodes" in str(refused.value)


def test_a_tensor_in_another_file_is_refused() -> None:
    assert _code(graph(*column(), initializers=[external()])) == "external_data"


def test_it_is_refused_in_a_subgraph_too() -> None:
    value = helper.make_node("Constant", [], ["inner"], value=external())
    branch = helper.make_graph([value], "b", [], [helper.make_tensor_value_info("inner", FLOAT, [1])])
    either = helper.make_node("If", ["yes"], ["z"], then_branch=branch, else_branch=branch)
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True]))
    assert _code(graph(yes, either, *column())) == "external_data"


@pytest.mark.parametrize(
    ("operator", "domain", "code"),
    [
        ("FusedMatMul", "com.microsoft", "custom_operator"),
        ("StringSplit", "ai.onnx.contrib", "custom_operator"),
        ("RandomNormalLike", "", "random_operator"),
        ("NoSuchOperator", "", "invalid_graph"),
    ],
)
def test_an_operator_that_cannot_be_served_is_refused(operator: str, domain: str, code: str) -> None:
    model = graph(helper.make_node(operator, ["x"], ["z"], domain=domain), *column(), opsets={"": 15, domain: 15})
    assert _code(model) == code


def test_an_unused_domain_does_not_matter() -> None:
    model = graph(*column(), opsets={"": 15, "com.microsoft": 1})
    assert versions_of(document.parse(model.SerializeToString())) == {"": 15}


@pytest.mark.parametrize("opsets", [{"": 99}, {"": 15, "ai.onnx.ml": 99}])
def test_newer_operators_are_refused(opsets: dict[str, int]) -> None:
    assert _code(graph(*column(), opsets=opsets)) == "unsupported_opset"


def test_functions_are_refused() -> None:
    model = graph(*column())
    opset: list[Any] = [helper.make_opsetid("", 15)]
    node = helper.make_node("Identity", ["i"], ["o"])
    model.functions.append(helper.make_function("mine", "Twice", ["i"], ["o"], [node], opset))
    assert _code(model) == "model_functions"


def test_an_invalid_graph_is_refused() -> None:
    assert _code(graph(helper.make_node("Sigmoid", ["nothing"], ["y"]))) == "invalid_graph"


def dropout(*, mode: bool | None, computed: bool = False, opset: int = 15, **attributes: int) -> onnx.ModelProto:
    """Return a graph with a Dropout of half of the values. Its `training_mode` is an initializer, or computed."""
    tensors = [helper.make_tensor("half", FLOAT, [], [0.5])]
    nodes, inputs = column(output="p"), ["p"]
    if mode is not None:
        tensors.append(helper.make_tensor("given", TensorProto.BOOL, [], [mode]))
        inputs += ["half", "mode" if computed else "given"]
    if computed:
        nodes.append(helper.make_node("Not", ["given"], ["mode"]))
    nodes.append(helper.make_node("Dropout", inputs, ["y"], **attributes))
    return graph(*nodes, initializers=tensors, opsets={"": opset})


@pytest.mark.parametrize(
    "model",
    [
        dropout(mode=True),
        dropout(mode=False, computed=True),
        dropout(mode=None, opset=6),
        dropout(mode=None, opset=6, is_test=0),
    ],
)
def test_dropout_as_in_training_is_random(model: onnx.ModelProto) -> None:
    assert _code(model) == "random_operator"


@pytest.mark.parametrize("model", [dropout(mode=None), dropout(mode=False), dropout(mode=None, opset=13)])
def test_dropout_as_in_inference_is_not(model: onnx.ModelProto) -> None:
    assert document.parse(model.SerializeToString()).graph.node[-1].op_type == "Dropout"


def normalized(outputs: tuple[str, ...] = ("y",), opset: int = 15, **attributes: int) -> onnx.ModelProto:
    """Return a graph that normalizes its input."""
    statistics = [helper.make_tensor(name, FLOAT, [4], [1.0] * 4) for name in ("scale", "shift", "mean", "variance")]
    inputs = ["x", *(tensor.name for tensor in statistics)]
    node = helper.make_node("BatchNormalization", inputs, list(outputs), name="bn1", **attributes)
    return graph(node, initializers=statistics, opsets={"": opset})


@pytest.mark.parametrize(
    "model",
    [
        normalized(("y", "running_mean", "running_var"), training_mode=1),
        normalized(("y", "a", "b", "c", "d"), opset=9),
        normalized(opset=6),
        normalized(opset=6, is_test=0),
        normalized((), training_mode=1),
    ],
)
def test_a_normalization_as_in_training_is_refused(model: onnx.ModelProto) -> None:
    assert _code(model) == "training_mode"


@pytest.mark.parametrize("model", [normalized(), normalized(training_mode=0), normalized(opset=9)])
def test_a_normalization_as_in_inference_is_not(model: onnx.ModelProto) -> None:
    assert document.parse(model.SerializeToString()).graph.node[-1].op_type == "BatchNormalization"
