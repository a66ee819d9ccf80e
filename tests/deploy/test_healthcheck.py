"""The health check of the containers restarts a frozen service, and no other."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/docker/healthcheck.py"
# The last argument stands for that of `python -m`. No service has this name, because the check must only find this
# process.
SERVICE = "of-the-health-check"
SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2])); self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""


@pytest.fixture
def healthcheck(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("healthcheck", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    return module


@pytest.fixture
def start(free_port: Callable[[], int]) -> Iterator[Callable[[int], tuple[str, subprocess.Popen[bytes]]]]:
    """Return a function that starts a service whose `/readyz` answers a status."""
    started: list[subprocess.Popen[bytes]] = []

    def run(status: int) -> tuple[str, subprocess.Popen[bytes]]:
        port = free_port()
        command = (sys.executable, "-c", SERVER, str(port), str(status), f"rondo.{SERVICE}")
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))  # noqa: S603
        return f"http://127.0.0.1:{port}/readyz", started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def checked(healthcheck: Any, url: str, tmp_path: Path) -> int:
    code: int = healthcheck.check(url, tmp_path / "timeouts", SERVICE)
    return code


@pytest.mark.slow
def test_a_frozen_service_is_killed_after_some_checks(healthcheck: Any, start: Any, tmp_path: Path) -> None:
    url, process = start(200)
    while checked(healthcheck, url, tmp_path) != 0:
        assert process.poll() is None
    process.send_signal(signal.SIGSTOP)
    for _ in range(healthcheck.MAX_TIMEOUTS - 1):
        assert checked(healthcheck, url, tmp_path) == 1
    assert process.poll() is None
    assert checked(healthcheck, url, tmp_path) == 1
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_an_answer_in_between_resets_the_count(healthcheck: Any, start: Any, tmp_path: Path) -> None:
    url, process = start(200)
    while checked(healthcheck, url, tmp_path) != 0:
        assert process.poll() is None
    for _ in range(2):
        process.send_signal(signal.SIGSTOP)
        for _ in range(healthcheck.MAX_TIMEOUTS - 1):
            checked(healthcheck, url, tmp_path)
        process.send_signal(signal.SIGCONT)
        while checked(healthcheck, url, tmp_path) != 0:
            assert process.poll() is None
    assert process.poll() is None


def test_a_service_that_is_not_ready_is_not_killed(healthcheck: Any, start: Any, tmp_path: Path) -> None:
    url, process = start(503)
    for _ in range(2 * healthcheck.MAX_TIMEOUTS):
        assert checked(healthcheck, url, tmp_path) == 1
    assert process.poll() is None


def test_nothing_is_killed_while_nothing_listens(
    healthcheck: Any, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[str] = []
    monkeypatch.setattr(healthcheck, "kill", killed.append)
    url = f"http://127.0.0.1:{free_port()}/readyz"
    assert [checked(healthcheck, url, tmp_path) for _ in range(2 * healthcheck.MAX_TIMEOUTS)] == [1] * 12
    assert killed == []
