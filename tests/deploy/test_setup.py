"""Two concurrent `make` in one checkout do not create the environment at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "deploy/locked.py"


def locked(folder: Path, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(LOCKED), "new/.lock", "sh", "-c", script]
    pipe = subprocess.PIPE
    return subprocess.Popen(  # noqa: S603
        command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def begun(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline() == "begun\n"


def test_the_second_waits_for_the_first_and_prints_it(tmp_path: Path) -> None:
    first = locked(tmp_path, "echo begun; cat; echo first >>log")
    begun(first)
    second = locked(tmp_path, "echo second >>log")
    assert second.stderr
    assert " new/.lock: " in second.stderr.readline()
    first.communicate("")
    second.communicate("")
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_one_that_was_killed_leaves_no_lock_and_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    first = locked(tmp_path, "echo begun; cat")
    begun(first)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = locked(tmp_path, "exit 3")
    assert second.communicate("") == ("", "")
    assert second.returncode == 3


def test_setting_up_is_done_under_the_lock() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    before, _, under = shown.partition("deploy/locked.py .venv/.setup.lock")
    assert "sync" not in before
    assert "uv sync --frozen" in under
