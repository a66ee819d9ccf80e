"""A user's function trains like a library, for every task. Its mistakes end the run with an instructive message."""

from __future__ import annotations

import json
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from rondo.registry.registration.onnx_check import check_onnx
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.functions import errors
from rondo.trainer.functions.context import FunctionContext
from rondo.trainer.functions.exchange import ComparedRows, Request
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.worker.app import pipeline

from tests.trainer.test_kinds import LATER, TASKS, rows, spec

if TYPE_CHECKING:
    from rondo.trainer.evaluation.candidate import FittedCandidate

SOURCE = Path(__file__).parent / "own_model.py"
ROWS = {task: rows(task, 600) for task in TASKS}


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one package, `own`."""
    folder = tmp_path_factory.mktemp("functions")
    (folder / "own").mkdir()
    shutil.copy(SOURCE, folder / "own" / "train.py")
    return folder


def fit(folder: Path, name: str, task: str = "binary", *, seconds: float = 60, **parts: Any) -> FittedCandidate:
    trainer = {"kind": "function", "function": name if ":" in name else f"own.train:{name}", "params": {"depth": 3}}
    described = spec(task, trainer).as_dict() | parts
    training_set = TrainingSet(ROWS[task], (), LATER, None, LATER)
    return pipeline(1, folder, seconds).fit(type(spec(task, trainer)).model_validate(described), training_set)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_graph_of_the_matrix_is_served_behind_the_preparation(functions: Path, task: str) -> None:
    fitted = fit(functions, "linear", task)
    assert fitted.parity.rows > 1_000
    assert fitted.parity.max_difference < 1e-5
    assert fitted.parity.native_difference is None
    check_onnx(fitted.model, len(fitted.model))
    found = Scorer(1)(fitted.model, onnx_inputs(spec(task, {}).features, ROWS[task]))
    label = ROWS[task]["label"]
    if task == "regression":
        assert np.corrcoef(found["value"], label)[0, 1] > 0.8
    elif task == "binary":
        assert found["score"][label.to_numpy() == 1].mean() > found["score"][label.to_numpy() == 0].mean() + 0.2
    else:
        named = np.array(fitted.scored.task.labels)[found["label"]]
        assert np.mean(named == label.to_numpy()) > 0.6
    assert fitted.function is not None
    assert (fitted.function.function, fitted.function.package) == ("own.train:linear", "own")
    assert fitted.function.digest.startswith("sha256:")


@pytest.mark.parametrize("task", [TASKS[0], *(pytest.param(task, marks=pytest.mark.slow) for task in TASKS[1:])])
def test_the_graph_is_compared_with_the_functions_own_predictions(functions: Path, task: str) -> None:
    fitted = fit(functions, "with_predict", task)
    assert fitted.parity.native is True
    assert fitted.parity.rows == 540 + 1_000
    assert fitted.parity.native_difference is not None
    assert 0 < fitted.parity.native_difference < 1e-5


@pytest.mark.slow
def test_both_probabilities_and_features_by_name_are_compared_too(functions: Path) -> None:
    for name in ("by_name_with_predict", "both_with_predict"):
        assert fit(functions, name).parity.native is True


def test_the_row_with_the_largest_difference_is_in_the_refusal(functions: Path) -> None:
    with pytest.raises(errors.UnfaithfulGraphError) as refusal:
        fit(functions, "unfaithful")
    assert refusal.value.difference == pytest.approx(0.25, abs=1e-3)
    assert refusal.value.row["carrier"] == "Ünïcode"
    assert json.dumps(refusal.value.row, ensure_ascii=False) in str(refusal.value)


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_and_bytes_are_taken_as_well(functions: Path) -> None:
    first = fit(functions, "linear").model
    assert fit(functions, "linear").model == first
    assert onnx.load_from_string(fit(functions, "as_bytes").model).graph == onnx.load_from_string(first).graph


def test_the_matrix_is_that_of_prepare(functions: Path) -> None:
    prepare = {
        "derive": {"longer": "distance * 2"},
        "scale": {"distance": "standard"},
        "encode": {"carrier": "one_hot"},
        "dates": {"day": ["weekday"]},
    }
    features = spec("binary", {}).as_dict()["features"] | {"day": {"type": "category", "optional": True}}
    frame = ROWS["binary"].with_columns(day=ROWS["binary"]["at"].dt.to_string("%Y-%m-%d"))
    trainer = {"kind": "function", "function": "own.train:linear"}
    described = spec("binary", trainer).as_dict() | {"prepare": prepare, "features": features}
    asked = type(spec("binary", {})).model_validate(described)
    fitted = pipeline(1, functions).fit(asked, TrainingSet(frame, (), LATER, None, LATER))
    assert fitted.parity.max_difference < 1e-5
    # Dates need operators of version 20, to which the function's graph, of version 15, is converted.
    assert {entry.domain: entry.version for entry in onnx.load_from_string(fitted.model).opset_import} == {
        "": 20,
        "ai.onnx.ml": 3,
    }


@pytest.mark.slow
def test_a_graph_with_an_input_for_each_feature_takes_them_as_they_are_sent(functions: Path) -> None:
    fitted = fit(functions, "by_name")
    assert fitted.parity.native is False
    frame = ROWS["binary"]
    found = Scorer(1)(fitted.model, onnx_inputs(spec("binary", {}).features, frame))["score"]
    train = frame.head(540)
    for carrier in ("AA", "Ünïcode"):
        share = train.filter(carrier=carrier)["label"].mean()
        assert found[(frame["carrier"] == carrier).to_numpy()] == pytest.approx(share)


@pytest.mark.slow
def test_a_function_in_a_wheel_trains_as_one_in_a_folder(functions: Path, tmp_path: Path) -> None:
    """Python imports from a wheel in another way than from a folder."""
    with zipfile.ZipFile(tmp_path / "own-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(SOURCE, "own/train.py")
        wheel.writestr("own/__init__.py", "")
        wheel.writestr("own-1.0.dist-info/METADATA", "Name: own")
    fitted, of_folder = fit(tmp_path, "linear"), fit(functions, "linear")
    assert onnx.load_from_string(fitted.model).graph == onnx.load_from_string(of_folder.model).graph
    assert fitted.function is not None
    assert of_folder.function is not None
    assert fitted.function.package == "own-1.0-py3-none-any.whl"
    assert fitted.function.digest != of_folder.function.digest
    with pytest.raises(errors.FunctionFailedError) as refusal:
        fit(tmp_path, "fails")
    assert "failed: KeyError: 'weight' (own/train.py, line" in str(refusal.value)


@pytest.mark.slow
def test_a_changed_package_is_imported_anew_and_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    source = SOURCE.read_text()
    (tmp_path / "own" / "train.py").write_text(source)
    first = fit(tmp_path, "linear")
    (tmp_path / "own" / "train.py").write_text(source.replace("solved = solved * 4", "solved = solved * 3"))
    second = fit(tmp_path, "linear")
    assert first.function is not None
    assert second.function is not None
    assert first.function.digest != second.function.digest
    assert first.model != second.model


def test_a_package_that_changes_while_it_trains_makes_no_model(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    itself = "\n\ndef changes(*given):\n    open(__file__, 'a').write('# more')\n    return linear(*given)\n"
    (tmp_path / "own" / "train.py").write_text(SOURCE.read_text() + itself)
    with pytest.raises(errors.PackageChangedError) as refusal:
        fit(tmp_path, "changes")
    assert refusal.value.code == "function_package_changed"
    assert "own in RONDO_FUNCTIONS was changed while it trained" in str(refusal.value)
    assert "train again (`rondo train`)" in str(refusal.value)


MISTAKES = [
    (
        "own.other:linear",
        "function_module_missing",
        "no module 'own.other' in own of RONDO_FUNCTIONS, which has own.train",
    ),
    ("own.train:liner", "function_missing", "no function 'liner' in the module own.train, which has as_bytes,"),
    ("fails", "function_failed", "`trainer.function` own.train:fails failed: KeyError: 'weight' (own/train.py, line"),
    ("exits", "function_failed", "failed: SystemExit: 0 (own/train.py, line"),
    ("environment", "function_failed", "failed: ValueError: ['OMP_NUM_THREADS'] (own/train.py"),
    ("returns_nothing", "function_no_model", "returned nothing, and an `onnx.ModelProto`, or the bytes of one, is"),
    ("returns_text", "function_model", "can't be served: the file is not an ONNX model"),
    ("returns_much", "function_model", "the model has 314,572,800 bytes, and at most 268,435,456 are allowed"),
    ("crashes", "function_died", "the process of `trainer.function` own.train:crashes was ended by SIGABRT"),
    ("too_wide", "function_model", "columns can't be the prediction: export a float output"),
    ("whole_numbers", "function_model", "prediction (int64), and none of them has floats: export a float output"),
    ("unknown_input", "function_model", "a, b is no feature of the spec"),
    ("unfaithful", "function_parity", "own.train:unfaithful returned differs from its `predict` by 0.25, and at most"),
    ("predicts_few", "function_no_predictions", "gave an array of shape [3] for 1,540 rows: let it return an array of"),
    ("predicts_texts", "function_no_predictions", "gave a value of type list: let it return an array of floats"),
    ("predicts_tensors", "function_no_predictions", "gave a value of type Tensor: let it return an array of floats"),
    ("predicts_wide", "function_no_predictions", "gave 3 columns, and the output of the graph has 1: let it return"),
    ("predicts_very_wide", "function_no_predictions", "gave an array of 20,000 columns: let it return an array of"),
    ("predicts_by_text", "function_no_model", "returned a model and a value of type str, and an `onnx.ModelProto`, or"),
    ("predict_fails", "function_failed", "failed: KeyError: 'weight' (own/train.py, line"),
]

SECRETS = (
    "RONDO_POSTGRES_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "PGPASSWORD",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code", "sentence"), MISTAKES)
def test_a_mistake_ends_the_run_and_says_what_to_do(
    functions: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, sentence: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for secret in SECRETS:
        monkeypatch.setenv(secret, "secret")
    with pytest.raises(TrainingImpossibleError) as refusal:
        fit(functions, name)
    assert refusal.value.code == code
    assert sentence in str(refusal.value)


@pytest.mark.slow
def test_a_process_that_a_function_leaves_behind_does_not_hold_the_training(functions: Path) -> None:
    """It lives 120 s longer than the function, and keeps the pipe of the answer open."""
    began = time.monotonic()
    assert fit(functions, "leaves_a_process").parity.rows > 1_000
    with pytest.raises(errors.FunctionDiedError) as refusal:
        fit(functions, "dies_and_leaves_a_process")
    assert refusal.value.exit_code == 7
    assert time.monotonic() - began < 110


def test_a_process_that_cannot_be_started_leaves_no_pipe_open(functions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    opened: list[tuple[int, int]] = []
    open_pipe = os.pipe

    def recorded() -> tuple[int, int]:
        ends = open_pipe()
        opened.extend((end, os.fstat(end).st_ino) for end in ends)
        return ends

    monkeypatch.setattr(os, "pipe", recorded)
    with pytest.raises(FileNotFoundError):
        fit(functions, "linear")
    assert len(opened) >= 2
    # Another thread may have opened something with the same number meanwhile.
    assert [end for end, inode in opened if _inode(end) == inode] == []


def _inode(descriptor: int) -> int | None:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def test_a_function_that_does_not_return_is_ended(functions: Path) -> None:
    with pytest.raises(errors.FunctionTimeoutError) as refusal:
        fit(functions, "never_returns", seconds=3)
    assert refusal.value.code == "function_timeout"
    assert "has not returned within 3 s and was stopped: make it faster" in str(refusal.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere' (own/train.py, line 1, in <module>)"),
        ("def train(:", "SyntaxError: invalid syntax (own/train.py, line 1)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(tmp_path: Path, source: str, error: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.py").write_text(source)
    with pytest.raises(errors.FunctionFailedError) as refusal:
        fit(tmp_path, "train")
    assert error in str(refusal.value)


def test_a_package_with_the_name_of_an_installed_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("def train(*_): ...")
    with pytest.raises(errors.NameTakenError) as refusal:
        fit(tmp_path, "json:train")
    assert refusal.value.code == "function_name_taken"
    assert "rename the package in RONDO_FUNCTIONS" in str(refusal.value)


def test_other_packages_of_the_folder_are_not_imported(tmp_path: Path) -> None:
    """The digest covers one package, so no other code may be used."""
    (tmp_path / "own.py").write_text("import other\n")
    (tmp_path / "other.py").write_text("")
    with pytest.raises(errors.FunctionFailedError) as refusal:
        fit(tmp_path, "own:train")
    assert re.fullmatch("ModuleNotFoundError: .*'other'", refusal.value.error)


@pytest.mark.slow
def test_byte_code_that_the_digest_leaves_out_is_not_imported(tmp_path: Path) -> None:
    module = tmp_path / "own" / "train.py"
    module.parent.mkdir()
    module.write_text("def train(*_): raise ValueError('cached')")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(module), invalidation_mode=unchecked)
    py_compile.compile(str(module), str(module.parent / "__pycache__" / "hidden.pyc"), invalidation_mode=unchecked)
    module.write_text("def train(*_): raise ValueError('of the source')")
    with pytest.raises(errors.FunctionFailedError) as failure:
        fit(tmp_path, "train")
    assert failure.value.error == "ValueError: of the source"
    with pytest.raises(errors.ModuleMissingError):
        fit(tmp_path, "own.__pycache__.hidden:train")


def test_the_process_of_a_function_ends_where_its_worker_has_gone(functions: Path) -> None:
    """The kernel closes the pipe of a worker that is killed."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "rondo.trainer.functions", str(writing)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, pass_fds=(writing,), start_new_session=True
    )
    context = FunctionContext("binary", "probability", ("0", "1"), 7, {}, 1, np.zeros((2, 1), np.float32), ("temp",))
    compared = ComparedRows({"temp": np.zeros(1, np.float32)}, np.zeros((1, 1), np.float32))
    request = Request({"temp": np.zeros(2, np.float32)}, np.array([0, 1], np.float32), context, compared)
    assert process.stdin is not None
    request.write(process.stdin, str(functions), "own.train:never_returns")
    process.stdin.close()
    assert process.wait(60) == -signal.SIGKILL
    os.close(reading)
    os.close(writing)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("sent", [b"", b"\2\0\0", b"\2\0\0\0\0\0\0\0{"])
def test_the_process_of_a_function_ends_where_its_worker_is_killed_while_it_sends(sent: bytes) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "rondo.trainer.functions", "2"], input=sent, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert [line.startswith("the worker ended") for line in ended.stderr.decode().splitlines()] == [True]
