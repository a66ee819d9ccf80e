"""The real service on real Kafka answers the clients of KServe and of Triton."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.access_tokens import Role

from tests.support.access import TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each installs a client in an environment of its own


def run(script: str, *arguments: str) -> dict[str, Any]:
    uv = ROOT / ".venv" / "uv" / "bin" / "uv"
    command = [str(uv), "run", "--quiet", "--no-project", "--python", sys.executable, "--script", script, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT / "tests" / "support"
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def answers(
    platform: ReplicaEnvironment, model: Callable[..., bytes], free_port: Callable[[], int]
) -> Callable[[str], dict[str, Any]]:
    def ask(script: str) -> dict[str, Any]:
        platform.deploy(1, model(2.0))
        http, grpc = free_port(), free_port()
        with platform.serving(RONDO_HTTP_PORT=str(http), RONDO_GRPC_PORT=str(grpc)) as process:
            process.wait_ready()
            return run(script, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", TOKENS[Role.PREDICTOR], "delay")

    return ask


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_tritons_clients_work(answers: Callable[[str], dict[str, Any]], transport: str) -> None:
    assert answers("triton_client.py")[transport] == {
        "live": True, "ready": True, "model_ready": True, "other_ready": False,
        "score": [3.0, 6.0], "ids": ["r/0", "r/1"], "score_alone": [3.0, 6.0], "not_asked_for": True,
        "inputs": ["distance", "seats", "night", "carrier"], "index": ["delay"],
    }  # fmt: skip


def test_kserves_clients_work(answers: Callable[[str], dict[str, Any]]) -> None:
    found = answers("kserve_client.py")
    assert found.pop("ready") == {"http": True, "grpc": True, "live": True}
    names = ["label", "rondo.id", "rondo.model_version", "score"]
    assert [found[each] for each in found] == [{"id": "r", "score": [3.0, 6.0], "names": names}] * 4
