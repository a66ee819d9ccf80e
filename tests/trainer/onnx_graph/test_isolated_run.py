"""The process that runs graphs from other tools: its answers, and its limits."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper
from rondo.trainer.external_models.errors import (
    ExternalModelError,
    OutputTooLargeError,
    RunMemoryError,
    RunTimeoutError,
)
from rondo.trainer.onnx_graph import isolated_runtime
from rondo.trainer.onnx_graph.fork_server import ForkServer
from rondo.trainer.onnx_graph.isolated_run import IsolatedRun, memory_bound

from tests.support.waiting import until
from tests.trainer.external_models.graphs import COLUMNS, FLOAT, TEXT, X, graph

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process
ENDLESS, LARGE = 10**12, 60_000


def _repeated() -> onnx.NodeProto:
    """Return a loop that multiplies a matrix by itself, practically without end."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c.out"]), helper.make_node("MatMul", ["m", "m"], ["m.out"])],
        "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("m", FLOAT, [300, 300])],
        [value("c.out", TensorProto.BOOL, []), value("m.out", FLOAT, [300, 300])],
    )
    return helper.make_node("Loop", ["n", "", "m0"], ["m1"], body=body)


def endless() -> list[onnx.NodeProto]:
    """Return the nodes of a graph whose run does not end."""
    number = helper.make_node("Constant", [], ["n"], value_int=ENDLESS)
    shape = helper.make_node("Constant", [], ["s"], value_ints=[300, 300])
    return [number, shape, helper.make_node("ConstantOfShape", ["s"], ["m0"]), _repeated(), *_sum("m1")]


def _sum(source: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceSum", [source], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]


def _code(model: onnx.ModelProto, run: IsolatedRun) -> str:
    with pytest.raises(ExternalModelError) as refused:
        run(model.SerializeToString(), ["y"], {"x": X})
    return refused.value.code


@pytest.fixture
def forks() -> Iterator[ForkServer]:
    """Return a server that only this test uses."""
    server = ForkServer()
    yield server
    server.end()


def _process(forks: ForkServer) -> subprocess.Popen[bytes]:
    assert forks._started is not None
    return forks._started[0]


def _session(pid: int) -> int | None:
    """Return the session of a process that has not ended."""
    try:
        return None if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else os.getsid(pid)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


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


@pytest.mark.slow
async def test_a_graph_that_does_not_end_is_ended(forks: ForkServer) -> None:
    IsolatedRun(1, forks=forks)(graph(*_sum("x")).SerializeToString(), ["y"], {"x": X})
    session = _process(forks).pid
    assert _code(graph(*endless()), IsolatedRun(8, seconds=2, forks=forks)) == "run_timeout"
    # The kernel ends the fork a moment after the process. By its bound of processor time it would end later.
    await until(lambda: session not in map(_session, psutil.pids()), 5)


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


# A process whose runs are a script of the shell, in forks as on Linux, or without them as elsewhere.
_SCRIPTED = """\
#!{python} -I
import os, sys
from rondo.trainer.onnx_graph import isolated_runtime
isolated_runtime.run = lambda: os.execv("/bin/sh", ["sh", "-c", {script!r}])
sys.platform = {platform!r}
sys.exit(isolated_runtime.main(60))
"""


def _script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, platform: str) -> None:
    process = tmp_path / "python"
    process.write_text(
        _SCRIPTED.format(python=sys.executable, script=f"PATH=/usr/bin:/bin; {script}", platform=platform)
    )
    process.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(process))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: ForkServer, script: str, code: str, platform: str
) -> None:
    """The kernel kills with SIGKILL if memory is exhausted. The output of a process is not read into memory."""
    _script(tmp_path, monkeypatch, script, platform)
    assert _code(graph(*_sum("x")), IsolatedRun(1, forks=forks)) == code


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each run has a process of its own")
def test_runs_are_forks_of_one_process(forks: ForkServer) -> None:
    made = graph(*_sum("x")).SerializeToString()
    found = [IsolatedRun(1, forks=forks)(made, ["y"], {"x": X}) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    process = _process(forks)
    assert _code(graph(*_sum("no such input")), IsolatedRun(1, forks=forks)) == "invalid_graph"
    IsolatedRun(1, forks=forks)(made, ["y"], {"x": X})
    assert _process(forks) is process
    assert process.poll() is None


def test_a_process_that_had_nothing_to_run_ends_and_is_started_again() -> None:
    forks = ForkServer(idle_seconds=0.01)
    made = graph(*_sum("x")).SerializeToString()
    first = IsolatedRun(1, forks=forks)(made, ["y"], {"x": X})
    process = _process(forks)
    process.wait(30)
    np.testing.assert_array_equal(IsolatedRun(1, forks=forks)(made, ["y"], {"x": X}), first)
    assert _process(forks) is not process
    forks.end()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each run has a process of its own")
@pytest.mark.medium
def test_a_process_that_is_killed_between_two_runs_is_started_again(forks: ForkServer) -> None:
    made = graph(*_sum("x")).SerializeToString()
    first = IsolatedRun(1, forks=forks)(made, ["y"], {"x": X})
    process = _process(forks)
    process.kill()
    # Its exit code stays there for the server.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    np.testing.assert_array_equal(IsolatedRun(1, forks=forks)(made, ["y"], {"x": X}), first)
    assert _process(forks) is not process


@pytest.mark.parametrize(("platform", "runs"), [("linux", 1), ("darwin", 2)])
def test_a_graph_that_ends_as_an_idle_process_does_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: ForkServer, platform: str, runs: int
) -> None:
    """Without forks the exit code may be that of the process that ran no graph, so there is one more run."""
    _script(tmp_path, monkeypatch, f"echo >> {tmp_path}/runs; exit {isolated_runtime.IDLE}", platform)
    assert _code(graph(*_sum("x")), IsolatedRun(1, forks=forks)) == "run_failed"
    assert len((tmp_path / "runs").read_text()) == runs


def test_the_process_has_no_variables_of_this_one(monkeypatch: pytest.MonkeyPatch, forks: ForkServer) -> None:
    monkeypatch.setenv("RONDO_TOKEN", "secret")
    IsolatedRun(1, forks=forks)(graph(*_sum("x")).SerializeToString(), ["y"], {"x": X})
    assert psutil.Process(_process(forks).pid).environ().keys() <= {"OPENBLAS_NUM_THREADS", "LC_CTYPE"}


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
