"""Metadata that is appended to a file is read as if it had been written with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from onnx import TensorProto, checker, helper, load_model_from_string
from rondo.client.registration.onnx_metadata import with_metadata
from rondo.trainer.external_models.classes import CLASSES
from rondo.trainer.external_models.inputs import FEATURES
from rondo.trainer.external_models.outputs import OUTPUT
from rondo.trainer.onnx_graph.builder import TRAINED_UNTIL

if TYPE_CHECKING:
    import pytest


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


def test_the_page_shows_how_to_state_what_the_command_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the page runs, and its table has the keys that a registration reads."""
    page = (Path(__file__).parents[3] / "docs" / "models-made-elsewhere.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(import onnx\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    model = helper.make_model(helper.make_graph([], "g", [value], [value]))
    helper.set_model_props(model, {"rondo.output": "x"})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - the code of the page
    stated = {each.key: each.value for each in load_model_from_string(Path("stated.onnx").read_bytes()).metadata_props}
    assert stated == {"rondo.output": "x", TRAINED_UNTIL: "2013-06-01T00:00:00Z"}
    keys = set(re.findall(r"^\| `(rondo\.\w+)` \| `--", page, re.MULTILINE))
    assert keys == {TRAINED_UNTIL, CLASSES, FEATURES, OUTPUT}
