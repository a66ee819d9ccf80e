"""Models are checked against the signature of their route, and never read data outside of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rondo.contracts.spec.model import Feature
from rondo.serving.models.external_data import has_external_data
from rondo.serving.models.onnx_runtime import OnnxModel, UnfitModelError

if TYPE_CHECKING:
    from collections.abc import Callable

TWO = {"a": Feature(type="float"), "b": Feature(type="category")}


def test_a_model_scores_columns(model: Callable[..., bytes]) -> None:
    loaded = OnnxModel(model(2.0, TWO), TWO)
    scores = loaded.score({"a": np.array([1, 2, 3], "f4"), "b": np.array(["x", "", "y"], object)})
    assert scores.tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"a": Feature(type="float")}, "its input b is not a feature; train again"),
        (TWO | {"c": Feature(type="bool")}, "it lacks the input c; train again with the spec in force"),
        (
            {"a": Feature(type="category"), "b": Feature(type="category")},
            r"a is tensor\(float\) and should be tensor\(string\)",
        ),
    ],
)
def test_another_signature_is_refused(model: Callable[..., bytes], features: dict[str, Feature], said: str) -> None:
    with pytest.raises(UnfitModelError, match=said):
        OnnxModel(model(1.0, TWO), features)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" + b"\xff" * 40])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(UnfitModelError, match=r"train again|no output `score`"):
        OnnxModel(content, {})


def test_a_truncated_model_is_refused(model: Callable[..., bytes]) -> None:
    with pytest.raises(UnfitModelError, match="can't be loaded as an ONNX model"):
        OnnxModel(model(1.0, TWO)[:-20], TWO)


def external(place: str) -> bytes:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    a = helper.make_tensor_value_info("location", TensorProto.FLOAT, [None, 1])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    inner = helper.make_graph([helper.make_node("Identity", ["location"], ["x"])], "inner", [], [score], [tensor])
    nodes: list[Any] = {
        "initializer": [helper.make_node("Mul", ["location", "w"], ["score"])],
        "constant": [helper.make_node("Constant", [], ["w"], value=tensor)],
        "subgraph": [helper.make_node("If", ["c"], ["score"], then_branch=inner, else_branch=inner)],
        "attribute of a function": [helper.make_node("Scaled", ["location"], ["score"], domain="mine")],
        "training": [helper.make_node("Identity", ["location"], ["score"])],
    }[place]
    graph = helper.make_graph(nodes, "g", [a], [score], [tensor] if place == "initializer" else [])
    made = helper.make_model(graph)
    if place == "attribute of a function":
        opsets = [helper.make_opsetid("", 17)]
        constant = helper.make_node("Constant", [], ["w"])
        constant.attribute.add(name="value", ref_attr_name="w", type=onnx.AttributeProto.TENSOR)
        body = [constant, helper.make_node("Mul", ["x", "w"], ["y"])]
        default = [helper.make_attribute("w", tensor)]
        made.functions.append(
            helper.make_function("mine", "Scaled", ["x"], ["y"], body, opsets, attribute_protos=default)
        )
    if place == "training":
        made.training_info.add().initialization.CopyFrom(inner)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant", "subgraph", "attribute of a function", "training"])
def test_a_model_with_weights_outside_of_itself_is_refused(place: str) -> None:
    with pytest.raises(UnfitModelError, match="keeps data outside of its own bytes, which is never read"):
        OnnxModel(external(place), {"location": Feature(type="float")})


def test_a_model_with_an_input_called_location_is_not_mistaken(model: Callable[..., bytes]) -> None:
    features = {"location": Feature(type="float"), "external_data": Feature(type="category")}
    content = model(1.0, features)
    assert not has_external_data(content)
    assert onnx.load_from_string(content).graph.input[0].name == "location"
