"""Metadata that is appended to a file is read as if it had been written with it."""

from __future__ import annotations

from onnx import TensorProto, checker, helper, load_model_from_string
from rondo.client.registration.onnx_metadata import with_metadata


def test_appended_metadata_is_read_and_the_last_value_of_a_key_holds() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {"rondo.output": "old", "by": "somebody"})
    long = "ü" * 10_000
    content = with_metadata(model.SerializeToString(), {"rondo.output": "y", "rondo.classes": long})
    read = load_model_from_string(content)
    assert read.graph == model.graph
    assert {entry.key: entry.value for entry in read.metadata_props} == {
        "by": "somebody", "rondo.output": "y", "rondo.classes": long,
    }  # fmt: skip
    assert with_metadata(content, {}) == content
    helper.set_model_props(read, {entry.key: entry.value for entry in read.metadata_props})
    checker.check_model(read)
