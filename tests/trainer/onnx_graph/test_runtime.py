"""A graph is loaded once for many runs, and errors of onnxruntime about the rows are distinguished from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from rondo.trainer.onnx_graph.errors import GraphFailedError
from rondo.trainer.onnx_graph.runtime import Scorer


def graph() -> bytes:
    """Return a graph that looks a number up in a table of two."""
    nodes = [
        helper.make_node("Constant", [], ["table"], value=helper.make_tensor("t", TensorProto.FLOAT, [2], [5.0, 7.0])),
        helper.make_node("Cast", ["x"], ["at"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "at"], ["output.value"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    found = helper.make_tensor_value_info("output.value", TensorProto.FLOAT, [None, 1])
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph(nodes, "g", [given], [found]), opset_imports=opset, ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def test_a_row_that_the_graph_fails_on_is_its_fault() -> None:
    assert Scorer(1)(graph(), {"x": np.ones((1, 1), np.float32)})["value"].tolist() == [7.0]
    with pytest.raises(GraphFailedError) as failed:
        Scorer(1)(graph(), {"x": np.full((1, 1), 2.0, np.float32)})
    assert "Gather" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_model_is_loaded_once_and_its_waiting_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    class Counted(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, content: bytes, options: onnxruntime.SessionOptions, **others: Any) -> None:
            loaded.append(options.get_session_config_entry("session.intra_op.allow_spinning"))
            super().__init__(content, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Counted)
    predict = Scorer(2).loaded(graph())
    assert [predict({"x": np.full((1, 1), at, np.float32)})["value"].tolist() for at in (0, 1)] == [[5.0], [7.0]]
    assert loaded == ["0"]


def test_too_little_memory_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another attempt may have enough memory, and then compares the champion."""

    class Full(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, *_: Any) -> Any:
            message = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer"
            raise RuntimeException(message)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Full)
    with pytest.raises(RuntimeException):
        Scorer(1)(graph(), {"x": np.ones((1, 1), np.float32)})
