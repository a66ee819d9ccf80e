"""`rondo export` fetches a version and writes a Bento, and says how to run it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.bento.test_project import SPEC, artifact, described
from tests.client.stub_services import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ARTIFACT = artifact()
ANSWERS = {
    "/v1/models/delay/versions/3": json.dumps(described(ARTIFACT)).encode(),
    "/v1/models/delay/spec": json.dumps({"model": "delay", "revision": 1, "spec": SPEC}).encode(),
    "/v1/models/delay/versions/3/artifact": ARTIFACT,
    "/v1/models/delay/versions/4": json.dumps(described(b"another") | {"model_version": 4}).encode(),
    "/v1/models/delay/versions/4/artifact": ARTIFACT,
}


class Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWERS[self.path])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    yield from serving(Registry)


@pytest.fixture
def rondo(run: Callable[..., Any], registry: str) -> Callable[..., Any]:
    environment = {f"RONDO_{name}_URL": registry for name in ("REGISTRY", "INGESTION", "SERVING")}
    environment |= {"RONDO_KAFKA": "127.0.0.1:1", "RONDO_TOKEN": "x"}
    return lambda *arguments: run(*arguments, **environment)


def test_a_version_is_written_as_a_bento(rondo: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "bento"
    result = rondo("export", "delay", "3", "--bento", str(folder))
    assert result.exit_code == 0, result.output
    assert f"bentoml serve {folder}" in result.stdout
    assert (folder / "model.onnx").read_bytes() == ARTIFACT
    for_programs = rondo("export", "delay", "3", "--bento", str(tmp_path / "other"), "--json")
    assert json.loads(for_programs.stdout)["folder"] == str(tmp_path / "other")


def test_a_folder_with_files_and_a_damaged_artifact_are_refused(rondo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bento").mkdir()
    (tmp_path / "bento/mine.txt").write_text("kept")
    taken = rondo("export", "delay", "3", "--bento", str(tmp_path / "bento"), "--json")
    assert (taken.exit_code, json.loads(taken.stdout)["error"]) == (1, "folder_not_empty")
    assert "is not empty: name a new folder, or remove this one first" in taken.stderr
    damaged = rondo("export", "delay", "4", "--bento", str(tmp_path / "new"), "--json")
    assert (damaged.exit_code, json.loads(damaged.stdout)["error"]) == (1, "damaged_artifact")
    assert not (tmp_path / "new").exists()
