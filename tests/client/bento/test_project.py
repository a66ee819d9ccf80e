"""A version as a Bento: the folder is complete, its service scores as the graph does, and `bentoml serve` runs it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import socket
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from rondo.client.bento.project import (
    DamagedArtifactError,
    FolderNotEmptyError,
    UnknownFeatureTypeError,
    write_project,
)
from rondo.contracts.spec.model import Feature
from rondo.serving.stream.encode import encode_answers

from tests.serving.builders import (
    BINARY,
    INTERVAL,
    MULTICLASS,
    NOW,
    NUMBERED,
    REGRESSION,
    TEXTS,
    build_model,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.tasks.base import FittedTask

FEATURES = {
    "distance": Feature(type="float", min=0, max=5000),
    "seats": Feature(type="int", optional=True),
    "night": Feature(type="bool"),
    "carrier": Feature(type="category", values=("AA", "UA")),
}
SPEC = {"serving": {"ignore_unknown_fields": False}}
FULL = {"distance": 1.5, "night": False, "carrier": "AA", "seats": 3}


def artifact(fitted: FittedTask = BINARY) -> bytes:
    """Return a model whose raw prediction is the distance times two."""
    return build_model(2.0, FEATURES, fitted)


def described(content: bytes) -> dict[str, Any]:
    """Return the registry's description of a version, with fields that are not exported."""
    features = {name: feature.model_dump(mode="json", by_alias=True) for name, feature in FEATURES.items()}
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"model": "delay", "model_version": 3, "digest": digest, "features": features, "evidence": {"secret": 1}}


def test_a_project_has_the_model_its_signature_and_a_service(tmp_path: Path) -> None:
    content = artifact()
    write_project(described(content), SPEC, content, tmp_path / "bento")
    assert {file.name for file in (tmp_path / "bento").iterdir()} == {
        "model.onnx", "model.json", "service.py", "bentofile.yaml",
    }  # fmt: skip
    assert (tmp_path / "bento/model.onnx").read_bytes() == content
    about = json.loads((tmp_path / "bento/model.json").read_text())
    assert about.keys() == {"model", "model_version", "digest", "features", "ignore_unknown_fields"}
    assert list(about["features"]) == list(FEATURES)


def test_bytes_of_another_digest_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DamagedArtifactError) as caught:
        write_project(described(artifact()), SPEC, b"damaged", tmp_path / "bento")
    assert (caught.value.code, caught.value.model, caught.value.version) == ("damaged_artifact", "delay", 3)
    assert not (tmp_path / "bento").exists()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    content = artifact()
    with pytest.raises(FolderNotEmptyError) as caught:
        write_project(described(content), SPEC, content, tmp_path)
    assert caught.value.code == "folder_not_empty"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_version_with_a_feature_of_an_unknown_type_is_not_written(tmp_path: Path) -> None:
    content = artifact()
    version = described(content)
    version["features"]["night"]["type"] = "timestamp"
    with pytest.raises(UnknownFeatureTypeError) as caught:
        write_project(version, SPEC, content, tmp_path / "bento")
    assert (caught.value.code, caught.value.feature, caught.value.word) == (
        "unknown_feature_type", "night", "timestamp",
    )  # fmt: skip
    assert str(caught.value) == (
        "nothing was written: the feature night of version 3 of delay has the type 'timestamp', which this release of "
        "rondo does not know: upgrade rondo, then export the version again"
    )
    assert not (tmp_path / "bento").exists()


@pytest.fixture(scope="module")
def service() -> Any:
    """Return the module of the service. BentoML warns of its dependencies when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("rondo.client.bento.service")


@pytest.mark.parametrize("sent", ["1e999", "-1e999", "NaN", str(10**400), "1.5"])
def test_a_number_that_no_whole_number_holds_is_refused_by_name(service: Any, sent: str) -> None:
    features = described(artifact())["features"]
    for name, value in (("seats", json.loads(sent)), ("distance", json.loads(sent) * 10_000)):
        with pytest.raises(service.InvalidArgument) as caught:
            service._check([FULL | {name: value}], features, ignore_unknown=False)
        assert ["row 0" in str(caught.value), repr(name) in str(caught.value)] == [True, True]


def test_a_row_without_a_finite_prediction_is_refused_by_number(service: Any) -> None:
    with pytest.raises(service.InvalidArgument) as caught:
        service._values("score", np.array([[1], [np.nan]], "f4"), [])
    assert "row 1" in str(caught.value)


def test_unknown_fields_are_ignored_where_the_spec_says_so(service: Any) -> None:
    features = described(artifact())["features"]
    service._check([FULL | {"other": 1}], features, ignore_unknown=True)
    with pytest.raises(service.InvalidArgument) as caught:
        service._check([FULL | {"other": 1}], features, ignore_unknown=False)
    assert ["row 0" in str(caught.value), "'other'" in str(caught.value)] == [True, True]


def imported(file: Path) -> Any:
    spec = spec_from_file_location("exported_service", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("fitted", [BINARY, TEXTS, MULTICLASS, NUMBERED, REGRESSION, INTERVAL], ids=range(6))
def test_the_outputs_of_every_task_are_those_of_serving(tmp_path: Path, fitted: FittedTask) -> None:
    content = artifact(fitted)
    write_project(described(content), SPEC, content, tmp_path / "bento")
    exported = imported(tmp_path / "bento/service.py")
    distances = [0.1, 3.0, 1 / 3]
    columns = {
        "distance": np.array(distances, "f4"), "seats": np.full(3, np.nan, "f4"), "night": np.zeros(3, "f4"),
        "carrier": np.array(["AA"] * 3, object),
    }  # fmt: skip
    served = version_of("delay", 3, content, FEATURES)
    answers = encode_answers(
        "delay", 3, served.digest, ["a", "b", "c"], served.outputs, served.scorer.score(columns), NOW
    )
    rows = [FULL | {"distance": distance, "seats": None} for distance in distances]
    assert exported.Model.inner().predict(rows) == [json.loads(answer)["output"] for answer in answers]


def environment(home: Path) -> dict[str, str]:
    """Return an environment with its own store. BentoML needs uv on the path even if it locks no packages."""
    path = f"{Path(sys.executable).parent.parent / 'uv/bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PATH": path}


@contextmanager
def served(command: list[str], home: Path) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment(home), stdout=log, stderr=log)  # noqa: S603
        try:
            url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 90
            while not ready(url):
                assert process.poll() is None, (home / "serve.log").read_text()
                assert time.monotonic() < deadline, (home / "serve.log").read_text()
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bentoml_builds_the_bento_and_serves_the_folder(tmp_path: Path) -> None:
    content, folder = artifact(), tmp_path / "bento"
    write_project(described(content), SPEC, content, folder)
    home = tmp_path / "home"
    home.mkdir()
    bentoml = [sys.executable, "-W", "ignore", "-m", "bentoml"]
    command, variables = [*bentoml, "build", "--version", "3"], environment(home)
    built = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    assert built.returncode == 0, built.stderr
    for target in (str(folder), "delay:3"):
        with served([*bentoml, "serve", target], home) as url:
            answer = httpx.post(f"{url}/predict", json={"rows": [FULL, FULL | {"seats": None, "distance": 2}]})
            expected = [{"score": 3.0, "label": 0}, {"score": 4.0, "label": 0}]
            assert (answer.status_code, answer.json()) == (200, expected), answer.text
            assert httpx.post(f"{url}/describe", json={}).json()["model_version"] == 3
            for change, fact in REFUSED:
                refused = httpx.post(f"{url}/predict", json={"rows": [FULL, FULL | change]})
                assert (refused.status_code, "row 1" in refused.text, fact in refused.text) == (400, True, True)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"distanse": 1}, "'distanse'"),
    ({"distance": None}, "'distance'"),
    ({"distance": "far"}, "'distance'"),
    ({"distance": 5001}, "0 to 5000"),
    ({"seats": 1.5}, "'seats'"),
    ({"night": 1}, "'night'"),
    ({"carrier": "XX"}, "'carrier'"),
]
