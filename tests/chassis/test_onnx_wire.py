"""The count of messages of a document equals that of its parsed form."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import TensorProto, helper
from rondo.chassis.onnx_wire import DamagedDocumentError, TooManyMessagesError, require_bounded

if TYPE_CHECKING:
    from google.protobuf.message import Message

MANY = 10**9


def model() -> onnx.ModelProto:
    """Return a model with a subgraph, tensors, texts, and numbers of each type, some with large tags."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "N"]) for name in "xy"]
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "inner", [], value[1:])
    tensors = [helper.make_tensor("t", kind, [2], [1, 300]) for kind in (TensorProto.DOUBLE, TensorProto.INT64)]
    choice = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    numbers = helper.make_node("LabelEncoder", ["x"], ["z"], keys_strings=["a", "b" * 300], values_floats=[1.5, -2.0])
    graph = helper.make_graph([choice, numbers], "g", value[:1], value[1:], tensors, doc_string="doc" * 100)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], producer_name="test")
    helper.set_model_props(made, {"key": "value"})
    return made


def messages(message: Message) -> int:
    found = 0
    for field, value in message.ListFields():
        if field.message_type is not None:
            found += sum(1 + messages(each) for each in (value if field.is_repeated else (value,)))
    return found


def test_all_messages_count() -> None:
    content, count = model().SerializeToString(), messages(model())
    require_bounded(content, count, MANY)
    with pytest.raises(TooManyMessagesError) as refusal:
        require_bounded(content, count - 1, MANY)
    assert refusal.value.limit == count - 1
    assert refusal.value.kind != "fields"


def test_texts_count_as_fields_and_a_run_of_numbers_as_one() -> None:
    node = helper.make_node("LabelEncoder", ["x"], ["y"], keys_strings=["a"] * 1_000, values_int64s=[1] * 10_000)
    content = onnx.ModelProto(graph=onnx.GraphProto(node=[node])).SerializeToString()
    require_bounded(content, MANY, 1_100)
    with pytest.raises(TooManyMessagesError) as refusal:
        require_bounded(content, MANY, 900)
    assert (refusal.value.kind, refusal.value.limit) == ("fields", 900)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_384])
def test_a_text_ends_at_its_length(length: int) -> None:
    content = onnx.ModelProto(domain="d", producer_name="n", doc_string="x" * length).SerializeToString()
    require_bounded(content, 0, 3)
    with pytest.raises(TooManyMessagesError):
        require_bounded(content, 0, 2)
    with pytest.raises(DamagedDocumentError):
        require_bounded(content[:-1], MANY, MANY)


@pytest.mark.parametrize("size", range(1, 40))
def test_a_document_that_is_cut_off_ends_the_walk(size: int) -> None:
    content = model().SerializeToString()
    with pytest.raises(DamagedDocumentError):
        require_bounded(content[len(content) - 500 :][:size] + b"\x3a\x7f", MANY, MANY)


@pytest.mark.slow
def test_the_walk_over_many_empty_messages_takes_little_memory() -> None:
    """16 MiB of empty nodes, which take 1.3 GiB parsed."""
    code = (
        "from rondo.chassis import onnx_document as o\n"
        "import resource as r\n"
        "before = r.getrusage(r.RUSAGE_SELF).ru_maxrss\n"
        "content = b'\\x3a\\x80\\x80\\x80\\x08' + b'\\x0a\\x00' * (8 << 20)\n"
        "try: o.parse(content)\n"
        "except o.TooManyMessagesError: print(r.getrusage(r.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(ended.stdout) * unit < 150 << 20
