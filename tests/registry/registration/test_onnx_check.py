"""The check of an artifact finds tensors in other files anywhere in the graph, and bytes that are no model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from onnx import ModelProto, TensorProto, helper, load_model_from_string
from rondo.registry.errors import NotOnnxError
from rondo.registry.registration.onnx_check import UnsoundArtifactError, check_onnx, check_task, require_onnx

from tests.registry.builders import onnx_model

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = onnx_model("g")


def external() -> TensorProto:
    tensor = helper.make_tensor("secret", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return tensor


def as_initializer(model: ModelProto) -> None:
    model.graph.initializer.append(external())


def as_sparse_initializer(model: ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(external())


def as_attribute(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=external()))


def in_a_subgraph(model: ModelProto) -> None:
    graph = helper.make_graph([], "inner", [], [], initializer=[external()])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph))


def in_a_function(model: ModelProto) -> None:
    model.functions.add().node.append(helper.make_node("Constant", [], ["c"], value=external()))


def in_the_training_graph(model: ModelProto) -> None:
    model.training_info.add().algorithm.initializer.append(external())


def changed(change: Callable[[ModelProto], None]) -> bytes:
    model = load_model_from_string(GOOD)
    change(model)
    return bytes(model.SerializeToString())


def test_a_valid_model_passes() -> None:
    check_onnx(GOOD, len(GOOD))


@pytest.mark.parametrize(
    "change",
    [as_initializer, as_sparse_initializer, as_attribute, in_a_subgraph, in_a_function, in_the_training_graph],
)
def test_a_tensor_in_another_file_is_found_wherever_it_is(change: Callable[[ModelProto], None]) -> None:
    content = changed(change)
    with pytest.raises(UnsoundArtifactError) as caught:
        check_onnx(content, len(content))
    assert caught.value.code == "unsound_artifact"
    assert "'secret'" in str(caught.value)


def with_a_newer_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 10_000


def with_operators_of_others(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def without_its_input(model: ModelProto) -> None:
    del model.graph.input[:]


@pytest.mark.parametrize("change", [with_a_newer_opset, with_operators_of_others, without_its_input])
def test_a_model_that_serving_could_not_load_is_refused(change: Callable[[ModelProto], None]) -> None:
    content = changed(change)
    with pytest.raises(UnsoundArtifactError):
        check_onnx(content, len(content))


@pytest.mark.parametrize("content", [b"", b"onnx", GOOD[:-3], b"\xff" * 100])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(UnsoundArtifactError):
        check_onnx(content, len(content))
    with pytest.raises(UnsoundArtifactError):
        check_onnx(GOOD, len(GOOD) + 1)


def test_the_task_in_the_metadata_is_that_of_the_spec() -> None:
    check_task(GOOD, "binary")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (GOOD, r"\bbinary\b.*\bregression\b"),
        (onnx_model("g", None), "rondo.task"),
        (changed(lambda model: model.metadata_props.add(key="rondo.task", value="no JSON")), "rondo.task"),
    ],
)
def test_another_task_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(UnsoundArtifactError) as caught:
        check_task(content, "regression")
    assert re.search(found, str(caught.value))


@pytest.mark.parametrize("content", [b"", b"onnx", b"\x80\x04pickle"])
def test_a_file_that_is_no_model_is_refused_before_it_is_stored(content: bytes) -> None:
    with pytest.raises(NotOnnxError):
        require_onnx(content)
    require_onnx(GOOD)
