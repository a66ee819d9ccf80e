"""A task is one object. A fourth task works with its file and its line in the registry.

The packages of this process have three tasks, so the checks run in another one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_a_fourth_task_works_in_every_package_by_its_file_and_its_line() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.fourth_task.registered",
        "tests/fourth_task/checks.py",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
