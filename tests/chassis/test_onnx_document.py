"""ONNX documents are parsed, and their external tensors are found."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper
from rondo.chassis import onnx_document
from rondo.chassis.onnx_document import InvalidModelError, NotAModelError


def model(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([*nodes, helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx", 15)], ir_version=8)


CUT_OFF = [b"\x3a\x05\x0a", b"\x3a\xff\xff\xff\xff\x7f", b"\x08"]
GROUP = b"\x3b\x3c"


@pytest.mark.parametrize("content", [b"", b"onnx", b"\x80\x04pickle", b"\xff" * 100, *CUT_OFF, GROUP])
def test_other_bytes_are_no_model(content: bytes) -> None:
    with pytest.raises(NotAModelError):
        onnx_document.parse(content)


def test_a_model_is_read_with_its_metadata_and_the_versions_of_its_operators() -> None:
    made = model()
    for value in ("first", "last"):
        made.metadata_props.add(key="rondo.output", value=value)
    read = onnx_document.parse(made.SerializeToString())
    assert onnx_document.metadata(read) == {"rondo.output": "last"}
    assert onnx_document.versions_of(read) == {"": 15}
    assert onnx_document.external_tensor(read) is None


def test_a_sound_model_passes() -> None:
    onnx_document.check(model())


def test_a_tensor_in_another_file_is_found_in_a_subgraph() -> None:
    tensor = helper.make_tensor("secret", TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = TensorProto.EXTERNAL
    branch = helper.make_graph([], "inner", [], [], initializer=[tensor])
    made = model(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    assert onnx_document.external_tensor(made) == "secret"


def test_the_reason_of_the_checker_is_one_line() -> None:
    with pytest.raises(InvalidModelError) as caught:
        onnx_document.check(model(helper.make_node("NoSuchOperator", ["x"], ["z"])))
    assert "NoSuchOperator" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_nodes_that_a_tensor_depends_on_have_what_subgraphs_take() -> None:
    def made(*names: str) -> onnx.NodeProto:
        return helper.make_node("Identity", [names[0]], [names[1]])

    def graph(nodes: list[onnx.NodeProto], output: str) -> onnx.GraphProto:
        return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1])])

    inner = helper.make_node("If", ["x"], ["in"], then_branch=graph([], "c"), else_branch=graph([made("d", "e")], "e"))
    outer = helper.make_node("If", ["x"], ["y"], then_branch=graph([inner], "in"), else_branch=graph([], "b"))
    nodes = [made("x", name) for name in "abcd"]
    needed = onnx_document.needed_nodes([*nodes, outer, made("y", "z"), made("y", "other")], "z")
    assert [node.output[0] for node in needed] == ["b", "c", "d", "y", "z"]
