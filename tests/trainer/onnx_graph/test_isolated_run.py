"""The process in which graphs that others made are run: its answers, and its bounds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rondo.trainer.external_models.errors import (
    ExternalModelError,
    OutputTooLargeError,
    RunMemoryError,
    RunTimeoutError,
)
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun, memory_bound

from tests.trainer.external_models.graphs import COLUMNS, FLOAT, TEXT, X, graph

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process
ENDLESS, LARGE = 10**12, 60_000


def _repeated() -> onnx.NodeProto:
    """Return a loop that multiplies a matrix by itself, practically for ever."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c.out"]), helper.make_node("MatMul", ["m", "m"], ["m.out"])],
        "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("m", FLOAT, [300, 300])],
        [value("c.out", TensorProto.BOOL, []), value("m.out", FLOAT, [300, 300])],
    )
    return helper.make_node("Loop", ["n", "", "m0"], ["m1"], body=body)


def _sum(source: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceSum", [source], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]


def _code(model: onnx.ModelProto, run: IsolatedRun) -> str:
    with pytest.raises(ExternalModelError) as refused:
        run(model.SerializeToString(), ["y"], {"x": X})
    return refused.value.code


def test_numbers_and_texts_arrive_and_outputs_return() -> None:
    nodes = [helper.make_node("Identity", [name], [f"{name}.out"]) for name in ("a", "words")]
    nodes.append(helper.make_node("LabelEncoder", ["words"], ["codes"], domain="ai.onnx.ml",
                                  keys_strings=["Zürich", ""], values_int64s=[7, 8], default_int64=9))  # fmt: skip
    made = graph(
        nodes[0], nodes[2],
        inputs={"a": (FLOAT, ["N", 1]), "words": (TEXT, ["N", 1])},
        outputs={"a.out": (FLOAT, ["N", 1]), "codes": (TensorProto.INT64, ["N", 1])},
        opsets={"": 15, "ai.onnx.ml": 3},
    )  # fmt: skip
    words = np.array([["Zürich"], [""], ["\U0001f30d"]], dtype=object)
    values, codes = IsolatedRun(1)(made.SerializeToString(), ["a.out", "codes"], {"a": X[:3, :1], "words": words})
    np.testing.assert_array_equal(values, COLUMNS["a"][:3])
    assert codes.reshape(-1).tolist() == [7, 8, 9]


def test_a_graph_that_does_not_end_is_ended() -> None:
    number = helper.make_node("Constant", [], ["n"], value_int=ENDLESS)
    shape = helper.make_node("Constant", [], ["s"], value_ints=[300, 300])
    made = graph(number, shape, helper.make_node("ConstantOfShape", ["s"], ["m0"]), _repeated(), *_sum("m1"))
    assert _code(made, IsolatedRun(1, seconds=2)) == "run_timeout"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not bound the memory of a process")
def test_a_graph_that_asks_for_too_much_memory_is_refused() -> None:
    shape = helper.make_node("Constant", [], ["s"], value_ints=[LARGE, LARGE])
    made = graph(shape, helper.make_node("ConstantOfShape", ["s"], ["m"]), *_sum("m"))
    assert _code(made, IsolatedRun(1)) == "run_memory"


def test_a_large_output_is_not_read() -> None:
    shape = helper.make_node("Constant", [], ["s"], value_ints=[len(X), 20_000])
    made = graph(
        shape, helper.make_node("ConstantOfShape", ["s"], ["m"]), *_sum("m"), outputs={"m": (FLOAT, ["N", "M"])}
    )
    with pytest.raises(OutputTooLargeError) as refused:
        IsolatedRun(1)(made.SerializeToString(), ["m"], {"x": X})
    assert refused.value.code == "output_too_large"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("kill -KILL $$", "run_memory"),
        ("kill -XCPU $$", "run_timeout"),
        ("head -c 10000000 /dev/zero", "output_too_large"),
        ("head -c 10000000 /dev/zero >&2; exit 4", "run_failed"),
    ],
)
def test_the_end_of_the_process_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str
) -> None:
    """The kernel kills with SIGKILL for lack of memory; what a process writes stays out of the memory of this one."""
    process = tmp_path / "python"
    process.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    process.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(process))
    assert _code(graph(*_sum("x")), IsolatedRun(1)) == code


@pytest.mark.parametrize(
    ("limits", "bound"),
    [((), 4 << 30), (("max",), 4 << 30), ((str(1 << 30),), 1 << 29), ((str(1 << 62),), 4 << 30), (("max", "100"), 50)],
)
def test_the_memory_of_a_run_is_half_of_the_containers(tmp_path: Path, limits: tuple[str, ...], bound: int) -> None:
    files = [tmp_path / str(index) for index in range(2)]
    for file, limit in zip(files, limits, strict=False):
        file.write_text(f"{limit}\n")
    assert memory_bound(files) == bound


def test_a_bound_is_named_with_what_to_do() -> None:
    assert "has not scored the labelled rows within 2 s" in str(RunTimeoutError(2))
    assert "for 12 rows has more than 96 bytes" in str(OutputTooLargeError(96, 12))
    assert "bytes: export one value a row, or one for each class" in str(OutputTooLargeError(96, 12))
    assert "more than 4 GiB of memory to score the labelled rows: use a smaller model" in str(RunMemoryError(4 << 30))


def test_a_graph_that_fails_says_why() -> None:
    shape = helper.make_node("Constant", [], ["s"], value_ints=[7, 7])
    made = graph(shape, helper.make_node("Reshape", ["x", "s"], ["y"]))
    assert _code(made, IsolatedRun(1)) == "run_failed"


def test_a_graph_that_cannot_be_loaded_says_why() -> None:
    wrong = helper.make_node(
        "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=["a"], values_strings=["b"]
    )
    assert _code(graph(wrong, opsets={"": 15, "ai.onnx.ml": 3}), IsolatedRun(1)) == "invalid_graph"
