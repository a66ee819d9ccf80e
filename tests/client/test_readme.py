"""The commands, the Python and the HTTP request of README and of docs/usage.md run unchanged."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from rondo.client.cli import app
from rondo.contracts.spec.file import parse_spec
from rondo.embedded import SERVICES, Stack
from rondo.flights import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.client import Connection

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text() + (ROOT / "docs" / "usage.md").read_text()
SPEC = parse_spec((ROOT / "examples/flights/rondo.yaml").read_text("utf-8"))


def block(beginning: str, language: str = "") -> list[str]:
    """Return the lines of the block of code that begins so."""
    found = re.search(rf"^```{language}\n({re.escape(beginning)}.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what a reader has by then: the checkout, and the files that the second line writes."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "examples").symlink_to(ROOT / "examples")
    files.write(folder)
    return folder


def test_every_command_can_be_read_and_finds_its_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    _, write, *commands = block("export PATH=$PWD/.venv/bin:$PATH")
    assert shlex.split(write, comments=True) == ["python", "-m", "rondo.flights.files"]
    group: Any = typer.main.get_command(app)
    asked = []
    for line in commands:
        rondo, name, *arguments = shlex.split(line, comments=True)
        assert rondo == "rondo"
        with group.commands[name].make_context(name, arguments) as context:
            asked.append((name, context.params))
    ids = {json.loads(line)["id"] for line in (folder / "requests.jsonl").read_text().splitlines()}
    assert [params["id"] in ids for name, params in asked if name == "outcome"] == [True]


class Answering(BaseHTTPRequestHandler):
    """A stand-in of serving, which keeps what it is sent."""

    asked: list[tuple[str, str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, self.headers["authorization"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Log nothing."""


@pytest.fixture
def serving_over_http() -> Iterator[str]:
    Answering.asked = []
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_the_lines_with_curl_ask_serving(folder: Path, serving_over_http: str) -> None:
    (folder / ".rondo").mkdir()
    (folder / ".rondo" / "stack.json").write_text(json.dumps({"http": {"serving": serving_over_http}, "token": "t-1"}))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.1"}
    lines = "set -e\n" + "\n".join(block("SERVING="))
    await asyncio.to_thread(subprocess.run, ["sh", "-c", lines], cwd=folder, env=environment, check=True, timeout=60)
    body = (folder / "infer.json").read_bytes()
    assert Answering.asked == [(f"/v2/models/{SPEC.model}/infer", "Bearer t-1", body)]
    needed = {name for name, feature in SPEC.features.items() if not feature.optional}
    assert needed <= {tensor["name"] for tensor in json.loads(body)["inputs"]}


def test_what_is_to_be_killed_is_named_by_the_files_that_a_stack_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RONDO_KAFKA", "RONDO_POSTGRES"):
        monkeypatch.delenv(name, raising=False)
    stack = Stack(tmp_path / ".rondo")
    assert stack.kafka
    assert stack.postgres
    logs = [stack.kafka.process.log, stack.postgres.process.log]
    logs += [stack.home / "logs" / f"{service.name}.log" for service in SERVICES]
    written = {str(log.with_suffix(".pid").relative_to(tmp_path)) for log in logs}
    named = set(re.findall(r"\.rondo/\S+\.pid", "\n".join(block("kill -9"))))
    assert named <= written
    assert {".rondo/logs/serving.pid", ".rondo/postgres/postgres.pid", ".rondo/kafka/kafka.pid"} <= named


async def test_the_snippet_asks_for_a_prediction(serving: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = "\n".join(block("from datetime import UTC", "python"))
    monkeypatch.setenv("RONDO_KAFKA", str(serving.kafka))
    monkeypatch.setenv("RONDO_TOKEN", "x")
    for name in ("REGISTRY", "INGESTION", "SERVING"):
        monkeypatch.setenv(f"RONDO_{name}_URL", "http://127.0.0.1:1")
    names: dict[str, Any] = {}
    await asyncio.to_thread(exec, snippet, names)
    assert (names["answer"].model, names["answer"].score) == (SPEC.model, names["features"]["distance"] / 1000)
    needed = {name for name, feature in SPEC.features.items() if not feature.optional}
    assert needed <= names["features"].keys() <= SPEC.features.keys()
    listed = {name: feature.values for name, feature in SPEC.features.items() if feature.values}
    assert all(names["features"][name] in values for name, values in listed.items())
